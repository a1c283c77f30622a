// Runs jobs on the bare accelerator: writes its registers, ticks its clocks, plays main memory with random stalls.
#include "Vaccelerator.h"
#include <cstdint>
#include <cstring>
#include <deque>

namespace {

// Marsaglia, "Xorshift RNGs", 2003.
struct Random {
    uint64_t state;
    bool below(uint32_t probability) // of 65536
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (state >> 24 & 0xffff) < probability;
    }
};

Vaccelerator dut;

void tick_system() {
    dut.sys_clk = 0;
    dut.accelerator_clk = 0;
    dut.eval();
    const bool enabled = dut.clock_enable;
    dut.sys_clk = 1;
    dut.accelerator_clk = enabled;
    dut.eval();
}

void write_register(uint32_t index, uint32_t value) {
    dut.csr_adr = index;
    dut.csr_dat_w = value;
    dut.csr_we = 1;
    tick_system();
    dut.csr_we = 0;
}

uint32_t read_register(uint32_t index) {
    dut.csr_adr = index;
    dut.csr_re = 1;
    tick_system();
    dut.csr_re = 0;
    dut.sys_clk = 0;
    dut.eval();
    return dut.csr_dat_r;
}

} // namespace

struct Outcome {
    uint64_t cycles;        // that the clock was enabled
    uint32_t timed_out;     // the job did not end
    uint32_t beyond_memory; // commands outside the memory, or other breaches of the port's rules
    uint32_t registers[16]; // status, error, counters: all from `status` on
};

extern "C" __attribute__((visibility("default"))) void reset() {
    dut.sys_rst = dut.accelerator_rst = 1;
    for (int i = 0; i < 4; i++) {
        dut.sys_clk = dut.accelerator_clk = 0;
        dut.eval();
        dut.sys_clk = dut.accelerator_clk = 1;
        dut.eval();
    }
    dut.sys_rst = dut.accelerator_rst = 0;
}

// Registers: `count` parameters, then start, status, ...; at most `limit` cycles; `scribble` writes over the parameters
// and `start` while the job runs.
extern "C" __attribute__((visibility("default"))) void run_job(const uint32_t *parameters, uint32_t count,
                                                               uint64_t *memory, uint64_t words, uint64_t seed,
                                                               uint32_t stall, uint64_t limit, uint32_t scribble,
                                                               Outcome *outcome) {
    Random random{seed | 1};
    std::deque<uint64_t> reads, writes;
    std::memset(outcome, 0, sizeof *outcome);

    for (uint32_t i = 0; i < count; i++)
        write_register(i, parameters[i]);
    write_register(count, 1);

    uint32_t latency = 0;
    uint32_t next = 0;
    bool started = false;
    for (uint64_t cycle = 0;; cycle++) {
        if (cycle == limit) {
            outcome->timed_out = 1;
            break;
        }
        dut.sys_clk = dut.accelerator_clk = 0;
        dut.cmd_ready = !random.below(stall);
        dut.wdata_ready = !writes.empty() && !random.below(stall);
        dut.rdata_valid = !reads.empty() && latency == 0 && !random.below(stall);
        dut.rdata_data = dut.rdata_valid ? reads.front() : ~0ull;
        dut.csr_we = scribble && cycle > 2 && next <= count;
        if (dut.csr_we) {
            dut.csr_adr = next++;
            dut.csr_dat_w = 0xdeadbeef; // its last bit is set: of `start`, after the parameters, it asks for a job
        }
        dut.eval();
        const bool enabled = dut.clock_enable;
        if (started && !enabled)
            break;
        started |= enabled;
        outcome->cycles += enabled;
        if (enabled) {
            if (latency)
                latency--;
            if (dut.rdata_valid)
                reads.pop_front();
            if (dut.wdata_valid && writes.empty())
                outcome->beyond_memory |= 2;
            if (dut.wdata_valid && dut.wdata_ready) {
                uint64_t mask = 0;
                for (int byte = 0; byte < 8; byte++)
                    mask |= dut.wdata_we >> byte & 1 ? 0xffull << 8 * byte : 0;
                uint64_t &word = memory[writes.front()];
                word = (word & ~mask) | (dut.wdata_data & mask);
                writes.pop_front();
            }
            if (dut.cmd_valid && dut.cmd_ready) {
                if (dut.cmd_address >= words)
                    outcome->beyond_memory |= 1;
                else if (dut.cmd_we)
                    writes.push_back(dut.cmd_address);
                else {
                    if (reads.empty() && stall)
                        latency = random.below(stall) ? 7 : 0;
                    reads.push_back(memory[dut.cmd_address]);
                }
            }
        }
        dut.sys_clk = 1;
        dut.accelerator_clk = enabled;
        dut.eval();
    }
    dut.csr_we = 0;
    if (!reads.empty() || !writes.empty())
        outcome->beyond_memory |= 4;
    for (uint32_t i = 0; i < 9; i++)
        outcome->registers[i] = read_register(count + 1 + i);
}
