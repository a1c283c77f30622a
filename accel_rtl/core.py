"""The core: everything that runs in the clock domain `accelerator`."""

from migen import FSM, If, Module, NextState, NextValue, ResetInserter, Signal

from accel_rtl.array import OuterProductArray, accumulator_class
from accel_rtl.config import AcceleratorConfig
from accel_rtl.issuer import StepIssuer
from accel_rtl.job import Job
from accel_rtl.loader import Loader
from accel_rtl.memory import MemoryMaster
from accel_rtl.port import MemoryPort
from accel_rtl.registers import COUNTERS, WORD_BITS, ErrorCode
from accel_rtl.scratchpad import Halves, Scratchpad
from accel_rtl.store import Store

__all__ = ["Core"]


class Core(Module):
    """Runs a job each time its clock is started, and says when the clock may stop.

    ========= ========= ====================================================
    signal    direction meaning
    ========= ========= ====================================================
    registers in        a word for each of `registers.PARAMETERS`
    finished  out       the last cycle of the job
    error     out       an `ErrorCode`
    counters  out       a word for each of `registers.COUNTERS`
    port      out       the `MemoryPort`
    ========= ========= ====================================================

    Everything that follows a job's progress is held in reset except while a job runs, so that each job, also one after
    an error, finds it as new. Only the memory's master goes on: what it has begun is completed before the job ends.
    """

    def __init__(self, config: AcceleratorConfig, port: MemoryPort, memory_base: int, memory_bytes: int) -> None:
        self.submodules.job = job = Job(config, memory_base, memory_bytes)
        self.submodules.master = master = MemoryMaster(port)
        self.registers = job.registers
        self.finished = Signal()
        self.error = Signal(max=max(ErrorCode) + 1)
        self.counters = {name: Signal(WORD_BITS, name=f"counter_{name}") for name in COUNTERS}
        self.port = port

        ###

        running, fault, complete = Signal(), Signal(), Signal()
        self._datapath(config, memory_base, memory_bytes, running, fault, complete)
        counters = self.counters
        self.submodules.state = state = FSM(reset_state="LATCH")
        state.act(
            "LATCH",
            job.latch.eq(1),
            NextValue(self.error, ErrorCode.NONE),
            *(NextValue(counter, int(name in ("cycles", "wait_a"))) for name, counter in counters.items()),
            NextState("PREPARE"),
        )
        state.act("PREPARE", job.prepare.eq(1), NextState("CHECK"))
        state.act(
            "CHECK",
            If(
                job.ready,
                NextValue(self.error, job.error),
                If(job.error != ErrorCode.NONE, NextState("FINISH")).Else(NextState("RUN")),
            ),
        )
        state.act(
            "RUN",
            running.eq(1),
            If(fault, NextValue(self.error, ErrorCode.OPERAND), NextState("SETTLE")).Elif(
                complete, NextState("SETTLE")
            ),
        )
        state.act("SETTLE", If(master.idle, NextState("FINISH")))
        state.act("FINISH", self.finished.eq(1), NextState("LATCH"))

        issuer = self.issuer
        self.sync += If(
            ~state.ongoing("LATCH"),
            counters["cycles"].eq(counters["cycles"] + 1),
            If(
                running & issuer.busy,
                counters["busy"].eq(counters["busy"] + 1),
            )
            .Elif(
                (running & issuer.wait_a) | state.ongoing("PREPARE") | state.ongoing("CHECK"),
                counters["wait_a"].eq(counters["wait_a"] + 1),
            )
            .Elif(
                running & issuer.wait_b,
                counters["wait_b"].eq(counters["wait_b"] + 1),
            )
            .Else(
                counters["wait_store"].eq(counters["wait_store"] + 1),
            ),
            If(master.beat, counters["dma_beats"].eq(counters["dma_beats"] + 1)),
            If(master.waiting, counters["bus_wait"].eq(counters["bus_wait"] + 1)),
        )

    def _datapath(
        self,
        config: AcceleratorConfig,
        memory_base: int,
        memory_bytes: int,
        running: Signal,
        fault: Signal,
        complete: Signal,
    ) -> None:
        job, master = self.job, self.master

        def renewed(module: Module) -> Module:
            module = ResetInserter()(module)
            self.comb += module.reset.eq(~running)
            return module

        self.submodules.loader = loader = renewed(Loader(config, memory_base, memory_bytes))
        self.submodules.issuer = issuer = renewed(StepIssuer(config, accumulator_class(config).flush_steps(config)))
        self.submodules.store = store = renewed(Store(config, memory_bytes))
        self.submodules.array = array = OuterProductArray(config)
        for block in (loader, issuer, store):
            self.comb += [block.m.eq(job.m), block.n.eq(job.n)]
        for block in (loader, issuer):
            self.comb += [block.k.eq(job.k), block.has_c.eq(job.has_c)]

        # Scratchpads between the loader and the array.
        extents = ((config.rows, config.chunk), (config.columns, config.chunk), (config.rows, config.columns))
        for index, ((lanes, steps), codes) in enumerate(zip(extents, (array.a, array.b, array.c), strict=True)):
            halves = renewed(Halves())
            scratchpad = Scratchpad(config, lanes, steps)
            self.submodules += halves, scratchpad
            self.comb += [
                loader.windows[index].eq(job.windows[index]),
                loader.free[index].eq(halves.free),
                halves.claim.eq(loader.claim[index]),
                loader.fill_half[index].eq(halves.fill_half),
                halves.filled.eq(loader.filled[index]),
                issuer.ready[index].eq(halves.ready),
                halves.release.eq(issuer.release[index]),
                scratchpad.write.eq(loader.write[index] & running),
                scratchpad.where.eq(loader.where[index]),
                *(target.eq(slot) for target, slot in zip(scratchpad.slots, loader.slots, strict=True)),
                scratchpad.read_half.eq(halves.read_half),
                scratchpad.read_step.eq(issuer.read_step),
                *(target.eq(code) for target, code in zip(codes, scratchpad.lanes, strict=True)),
            ]

        # The scratchpads take a cycle, and so do the controls that go with their words.
        for control in ("step", "first", "load_c", "columns", "capture"):
            self.sync += getattr(array, control).eq(getattr(issuer, control))
        self.comb += [
            *(
                target.eq(source)
                for target, source in zip((array.a_format, array.b_format, array.c_format), job.formats, strict=True)
            ),
            store.captured.eq(array.captured & running),
            *(
                target.eq(word)
                for targets, words in zip(store.words, array.words, strict=True)
                for target, word in zip(targets, words, strict=True)
            ),
            array.shift.eq(store.shift),
            issuer.taken.eq(store.taken),
            store.address.eq(job.d_address),
            store.pitch.eq(job.d_pitch),
            store.size.eq(job.d_size),
            store.format.eq(job.d_format),
            store.saturate.eq(job.saturate),
            store.scale.eq(job.scale),
            master.read_valid.eq(loader.read_valid),
            loader.read_ready.eq(master.read_ready),
            master.read_address.eq(loader.read_address),
            loader.data_valid.eq(master.port.rdata.valid),
            loader.data.eq(master.port.rdata.data),
            master.write_valid.eq(store.write_valid),
            store.write_ready.eq(master.write_ready),
            master.write_address.eq(store.write_address),
            master.write_data.eq(store.write_data),
            master.write_enables.eq(store.write_enables),
            fault.eq(loader.fault),
            complete.eq(store.finished),
        ]
