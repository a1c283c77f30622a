"""The core: everything that runs in the clock domain `accelerator`."""

from migen import FSM, Array, Cat, If, Module, Mux, NextState, NextValue, Record, ResetInserter, Signal

from accel_rtl.array import OuterProductArray
from accel_rtl.bits import index_bits
from accel_rtl.chain_random import ChainRandom
from accel_rtl.config import AcceleratorConfig
from accel_rtl.issuer import StepIssuer
from accel_rtl.job import JobReader, job_layout
from accel_rtl.loader import FillPort, Loader
from accel_rtl.memory import MemoryMaster
from accel_rtl.port import MemoryPort
from accel_rtl.registers import RECORD_WORDS, WORD_BITS, ErrorCode
from accel_rtl.scratchpad import Halves, Ring, Scratchpad, TilePad
from accel_rtl.store import Store

__all__ = ["Core", "activity_layout"]

A, B, C, ADDEND, MASK = range(5)


def activity_layout() -> list[tuple[str, int]]:
    """What the core does in a cycle: each bit is an event that a counter of `struct accelerator_counters` counts.

    The cycle counts while `counting`; then it belongs to `busy`, else to `wait_a`, else to `wait_b`, else to the store.
    """
    return [(name, 1) for name in ("counting", "busy", "wait_a", "wait_b", "read", "write", "bus_wait")]


class Core(Module):
    """Runs the jobs of the queue, three of them at a time in different stages, and says when the clock may stop.

    ========== ========= ====================================================
    signal     direction meaning
    ========== ========= ====================================================
    queued     in        the queue holds a job, its descriptor at `descriptor`
    take       out       it is taken
    ended      out       a job ends, with code `code`
    busy       out       there are jobs
    activity   out       record of `activity_layout`
    port       out       the `MemoryPort`
    ========== ========= ====================================================

    A job passes through the stages in turn: the reader has it until all its operands are loaded, the issuer from when
    the job before has issued its last step; it is closing from when the next one has the issuer, or nothing is left
    to do.
    Counters belong to the job that has the issuer, or that it waits for; the words read to the job that they are for.
    """

    def __init__(self, config: AcceleratorConfig, port: MemoryPort, memory_base: int, memory_bytes: int) -> None:
        self.port = port
        self.ended = Signal()
        self.code = Signal(max=max(ErrorCode) + 1)
        self.busy = Signal()
        self.activity = Record(activity_layout())

        ###

        self.submodules.master = MemoryMaster(port)
        self.submodules.reader = reader = JobReader(config, memory_base, memory_bytes)
        self.queued, self.descriptor, self.take = reader.queued, reader.descriptor, reader.take
        self.clear = Signal()
        self.submodules.loader = self._renewed(Loader(config, memory_base, memory_bytes))
        self.submodules.issuer = self._renewed(StepIssuer(config))
        self.submodules.store = self._renewed(Store(config, memory_bytes))
        self.submodules.array = OuterProductArray(config)
        # What the issuer and the array work on, and what the store does.
        self.issued = Record(job_layout(config))
        self.stored = Record(job_layout(config))
        self._scratchpads(config)
        self._datapath()
        self._stages(config)

    def _renewed(self, module: Module) -> Module:
        """Reset after a job that ended early."""
        module = ResetInserter()(module)
        self.comb += module.reset.eq(self.clear)
        return module

    def _scratchpads(self, config: AcceleratorConfig) -> None:
        """Scratchpads and pads between the loader and what reads them."""
        loader, issuer, store, array = self.loader, self.issuer, self.store, self.array
        # Rings begin at multiples of the number of banks, so the position in the ring tells the bank.
        beat = loader.beat
        first_step = Signal(index_bits(config.depth))
        self.comb += first_step.eq(beat.tag + Mux(beat.k_minor, beat.position, beat.line))
        ports: dict[int, FillPort] = {}
        for index, side, codes in ((A, config.rows, array.a), (B, config.columns, array.b)):
            count = config.banks(side)
            if count not in ports:
                ports[count] = self._fill_port(config, count, config.operand_bits)
                self.comb += ports[count].rotate.eq(beat.tag + beat.line + beat.position)
            fill = ports[count]
            ring = self._renewed(Ring(config.depth))
            scratchpad = Scratchpad(config, side)
            self.submodules += ring, scratchpad
            end, ready, release, released, read, tile = (
                getattr(issuer, f"{'ab'[index]}_{name}") if name != "read" else getattr(issuer, f"read_{'ab'[index]}")
                for name in ("end", "ready", "release", "released", "read", "tile")
            )
            self.comb += [
                ring.length.eq(loader.length),
                loader.room[index].eq(ring.room),
                ring.claim.eq(loader.claim[index]),
                loader.head[index].eq(ring.head),
                ring.fill.eq(loader.fill[index]),
                ring.filled.eq(loader.filled),
                ring.end.eq(end),
                ready.eq(ring.ready),
                ring.release.eq(release),
                ring.released.eq(released),
                scratchpad.enables.eq(Mux(loader.write[index], fill.enables, 0)),
                *(target.eq(code) for target, code in zip(scratchpad.codes, fill.codes, strict=True)),
                scratchpad.step.eq(first_step),
                scratchpad.along_k.eq(loader.beat.k_minor),
                scratchpad.rotate.eq(fill.rotate),
                scratchpad.read_step.eq(read),
                scratchpad.read_tile.eq(tile),
                *(target.eq(code) for target, code in zip(codes, scratchpad.lanes, strict=True)),
            ]

        fill = self._fill_port(config, config.columns, config.element_bits)
        self.comb += fill.rotate.eq(beat.position)
        releases = {C: issuer.c_release, ADDEND: store.taken & self.stored.has_addend}
        releases[MASK] = store.taken & self.stored.has_mask
        self.pads = {}
        for index, release in releases.items():
            halves = self._renewed(Halves())
            pad = TilePad(config, config.operand_bits if index == C else config.element_bits)
            self.submodules += halves, pad
            self.pads[index] = pad, halves
            self.comb += [
                loader.room[index].eq(halves.room),
                halves.claim.eq(loader.claim[index]),
                loader.head[index].eq(halves.fill_half),
                halves.fill.eq(loader.fill[index]),
                halves.release.eq(release),
                pad.enables.eq(Mux(loader.write[index], fill.enables, 0)),
                *(target.eq(code) for target, code in zip(pad.codes, fill.codes, strict=False)),
                pad.row.eq(loader.beat.line),
                pad.half.eq(loader.beat.tag),
                pad.read_half.eq(halves.read_half),
            ]
        pad, halves = self.pads[C]
        self.comb += [
            issuer.c_ready.eq(halves.ready),
            pad.read_row.eq(issuer.c_row),
            *(target.eq(code) for target, code in zip(array.c, pad.columns, strict=True)),
        ]
        group = Signal(len(store.side_group))
        self.sync += group.eq(store.side_group)
        ready = 1
        for index, used, codes in (
            (ADDEND, self.stored.has_addend, store.addend),
            (MASK, self.stored.has_mask, store.mask),
        ):
            pad, halves = self.pads[index]
            ready = ready & (~used | halves.ready)
            self.comb += pad.read_row.eq(store.side_row)
            for lane, code in enumerate(codes):
                self.comb += code.eq(_pick(pad.columns[lane :: len(codes)], group))
        self.comb += store.side_ready.eq(ready)

    def _fill_port(self, config: AcceleratorConfig, places: int, bits: int) -> FillPort:
        """Slots of the loader's beat, on the way to the places where they go."""
        port = FillPort(config, places, bits)
        self.submodules += port
        self.comb += [
            port.mask.eq(self.loader.beat.mask),
            *(target.eq(slot) for target, slot in zip(port.slots, self.loader.slots, strict=True)),
        ]
        return port

    def _datapath(self) -> None:
        """Loader, issuer, array, store and memory among themselves."""
        reader, loader, issuer, array, store, master = (
            self.reader,
            self.loader,
            self.issuer,
            self.array,
            self.store,
            self.master,
        )
        issued, stored = self.issued, self.stored
        # The scratchpads take a cycle, and so do the controls that go with their codes.
        self.sync += [
            array.step.eq(issuer.step),
            array.first.eq(issuer.first),
            array.load_c.eq(~issuer.product),
            array.rows.eq(issuer.rows),
            array.capture.eq(issuer.capture),
        ]
        fetching = reader.read_valid
        self.comb += [
            *(getattr(array, name).eq(getattr(issued, name)) for name in ("a_format", "b_format", "c_format")),
            loader.shape.eq(reader.job.shape),
            *(target.eq(source) for target, source in zip(loader.windows, reader.windows, strict=True)),
            *(target.eq(source) for target, source in zip(loader.matrices, reader.matrices, strict=True)),
            loader.used.eq(reader.used),
            issuer.shape.eq(issued.shape),
            *(
                getattr(issuer, name).eq(getattr(issued, name))
                for name in ("has_c", "d_address", "d_pitch", "d_size", "a_resident", "b_resident")
            ),
            issuer.taken.eq(store.taken),
            store.captured.eq(array.captured),
            store.tile.eq(issuer.tile),
            *(
                target.eq(word)
                for targets, words in zip(store.words, array.words, strict=True)
                for target, word in zip(targets, words, strict=True)
            ),
            array.shift.eq(store.shift),
            store.pitch.eq(stored.d_pitch),
            store.size.eq(stored.d_size),
            store.format.eq(stored.d_format),
            *(
                getattr(store, name).eq(getattr(stored, name))
                for name in (
                    *("saturate", "scale", "mode", "random_bits", "random_key", "relu"),
                    *("has_addend", "addend_format", "has_mask", "mask_format"),
                )
            ),
            # The reader asks for words only while the loader does not.
            master.read_valid.eq(loader.read_valid | fetching),
            master.read_address.eq(Mux(fetching, reader.read_address, loader.read_address)),
            reader.read_ready.eq(master.read_ready),
            loader.read_ready.eq(master.read_ready & ~fetching),
            reader.may_read.eq(master.reads_idle & ~loader.active),
            reader.data.eq(self.port.rdata.data),
            reader.data_valid.eq(self.port.rdata.valid),
            loader.data.eq(self.port.rdata.data),
            loader.data_valid.eq(self.port.rdata.valid & loader.active),
        ]

    def _stages(self, config: AcceleratorConfig) -> None:
        """Which job is where, what it cost, and how it ends."""
        reader, loader, issuer, store, master = self.reader, self.loader, self.issuer, self.store, self.master
        issued = self.issued
        switched = Signal()
        loading, taken = Signal(), Signal()  # of the reader's job: its loads have begun; the issuer has it
        holds, starting = Signal(), Signal()  # the issuer has a job; it starts in this cycle
        self.holds, self.starting, self.taken = holds, starting, taken
        closing, closing_error = Signal(), Signal(len(self.code))
        closing_record = Signal(WORD_BITS)
        take, close, through, drained, aborting = (Signal() for _ in range(5))
        sound = reader.job.error == ErrorCode.NONE
        self.comb += [
            # A job that was refused, or that the loader has given up, takes no steps.
            through.eq(holds & ~starting & ~issuer.active & ~aborting),
            drained.eq(~issuer.pending & store.idle),
            take.eq(reader.valid & ~taken & (~holds | (through & ~closing))),
            close.eq((take & holds) | (through & drained & ~closing & ~take)),
            loader.start.eq(reader.valid & sound & ~loading & ~loader.active & (~reader.after | (taken & ~closing))),
            reader.next.eq(reader.valid & taken & (~sound | (loading & ~loader.active) | self.clear)),
            issuer.start.eq(starting & (issued.error == ErrorCode.NONE)),
            # A fault is the reader's job's: once all earlier jobs have ended, everything begins anew.
            aborting.eq(loader.fault & taken),
            self.clear.eq(aborting & ~starting & ~closing & master.reads_idle),
            reader.forget.eq(self.clear),
        ]
        self.sync += [
            starting.eq(take),
            issuer.may_switch.eq(drained & ~closing),
            If(loader.start, loading.eq(1)),
            If(take, taken.eq(1), holds.eq(1), issued.eq(reader.job)),
            If(reader.next, loading.eq(0), taken.eq(0)),
            If(close & ~take, holds.eq(0)),
            If(self.clear, issued.error.eq(ErrorCode.OPERAND)),
            switched.eq(issuer.switch),
            If(switched, self.stored.eq(issued)),  # at the latest when the issuer gets the next job
            If(self.ended, closing.eq(0)),
            If(close, closing.eq(1), closing_error.eq(issued.error), closing_record.eq(issued.record)),
        ]
        if config.stochastic_chain:
            self.submodules.random = random = self._renewed(ChainRandom(config))
            self.comb += [
                random.key.eq(reader.job.chain_random_key),
                self.array.chain_random_bits.eq(issued.chain_random_bits),
                *(target.eq(word) for target, word in zip(self.array.row_words, random.row_words, strict=True)),
                *(target.eq(word) for target, word in zip(self.array.column_words, random.column_words, strict=True)),
                self.array.depth_word.eq(random.depth_word),
            ]
            # As late as the codes, which the array first puts into a register.
            self.sync += [
                random.take.eq(take),
                *(getattr(random, name).eq(getattr(issuer, name)) for name in ("step", "product", "tile_ends")),
                random.row.eq(issuer.walk.row),
                random.column.eq(issuer.walk.column),
            ]
        counted = self._count(close)

        # The end: when everything is written, the record; when that is, the job counts as completed.
        error_word = Signal(WORD_BITS)
        self.comb += error_word.eq(closing_error)
        words = [error_word, *counted]
        words += [Signal(WORD_BITS)] * (RECORD_WORDS - len(words))
        per_word = config.port_bits // WORD_BITS
        beats = RECORD_WORDS // per_word
        beat = Signal(max=max(2, beats))
        recording = Signal()
        address_shift = config.port_bytes.bit_length() - 1
        unrecorded = (closing_error == ErrorCode.RECORD) | (closing_error == ErrorCode.DESCRIPTOR)
        self.submodules.end = end = FSM(reset_state="WAIT")
        end.act(
            "WAIT",
            NextValue(beat, 0),
            If(closing & drained, NextState("RECORD"), If(unrecorded, NextState("SETTLE"))),
        )
        end.act(
            "RECORD",
            recording.eq(1),
            If(master.write_ready, NextValue(beat, beat + 1), If(beat == beats - 1, NextState("SETTLE"))),
        )
        end.act(
            "SETTLE",
            If(master.writes_idle, self.ended.eq(1), NextState("WAIT")),
        )
        self.comb += [
            self.code.eq(closing_error),
            master.write_valid.eq(store.write_valid | recording),
            store.write_ready.eq(master.write_ready & ~recording),
            master.write_address.eq(store.write_address),
            master.write_data.eq(store.write_data),
            master.write_enables.eq(store.write_enables),
            If(
                recording,
                master.write_address.eq(closing_record[address_shift:] + beat),
                master.write_data.eq(
                    _pick([Cat(*words[i * per_word : (i + 1) * per_word]) for i in range(beats)], beat)
                ),
                master.write_enables.eq((1 << config.port_bytes) - 1),
            ),
            self.busy.eq(reader.busy | holds | closing | ~master.idle),
        ]

    def _count(self, close: Signal) -> list[Signal]:
        """The words of `struct accelerator_counters` of the job that is closing."""
        reader, issuer, store, master = self.reader, self.issuer, self.store, self.master
        counting = self.holds | reader.busy
        names = ("cycles", "busy", "wait_a", "wait_b", "wait_store", "bus_wait")
        counters = {name: Signal(WORD_BITS) for name in names}
        closed = {name: Signal(WORD_BITS) for name in names}
        macs, closed_macs = Signal(2 * WORD_BITS), Signal(2 * WORD_BITS)
        next_macs = Signal(2 * WORD_BITS)
        # Words read, of the reader's job, of the job before it, and of the job that closes; words of D.
        reads, earlier_reads, closed_reads, writes = (Signal(WORD_BITS) for _ in range(4))
        events = {
            "cycles": 1,
            "busy": issuer.step,
            "wait_a": ~issuer.step & (issuer.wait_a | ~self.holds | self.starting),
            "wait_b": ~issuer.step & issuer.wait_b,
            "bus_wait": master.waiting,
        }
        events["wait_store"] = ~events["busy"] & ~events["wait_a"] & ~events["wait_b"]
        write = store.write_valid & store.write_ready
        self.comb += [
            self.activity.counting.eq(counting),
            self.activity.read.eq(master.read),
            self.activity.write.eq(write),
            *(getattr(self.activity, name).eq(events[name]) for name in ("busy", "wait_a", "wait_b", "bus_wait")),
        ]
        for name, counter in counters.items():
            event, value = Signal(), Signal(WORD_BITS)  # a signal of one bit: an inverted one would be widened first
            # Chosen, not added: what happens in a cycle is known late in it.
            self.comb += [event.eq(events[name]), value.eq(Mux(event, counter + 1, counter))]
            self.sync += [
                If(close | ~counting, counter.eq(0)).Else(counter.eq(value)),
                If(close, closed[name].eq(value)),
            ]
        # Added a cycle later, and so in time: a job's last step is before the cycle that closes it.
        added = Signal(len(issuer.macs))
        self.comb += next_macs.eq(macs + added)
        self.sync += [
            added.eq(Mux(issuer.step & issuer.product, issuer.macs, 0)),
            If(close | ~counting, macs.eq(0)).Else(macs.eq(next_macs)),
            If(close, closed_macs.eq(next_macs), closed_reads.eq(Mux(self.taken, reads + master.read, earlier_reads))),
            If(reader.take, reads.eq(0)).Else(reads.eq(reads + master.read)),
            If(reader.next, earlier_reads.eq(reads + master.read)),
            If(self.ended, writes.eq(0)).Elif(write, writes.eq(writes + 1)),
        ]
        dma_beats = Signal(WORD_BITS)
        self.comb += dma_beats.eq(closed_reads + writes)
        return [
            closed_macs[:WORD_BITS],
            closed_macs[WORD_BITS:],
            *(closed[name] for name in ("cycles", "busy", "wait_a", "wait_b", "wait_store")),
            dma_beats,
            closed["bus_wait"],
        ]


def _pick(choices: list, index: Signal) -> Signal:
    return Array(choices)[index] if len(choices) > 1 else choices[0]
