// Runs jobs on the bare accelerator: submits descriptors, ticks its clocks, plays main memory with random stalls.
#include "Vaccelerator.h"
#include <array>
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

constexpr int bytes = sizeof dut.rdata_data; // of a word of the port
using Word = std::array<uint8_t, bytes>;

void low() {
    dut.sys_clk = dut.accelerator_clk = 0;
    dut.eval();
}

} // namespace

struct Outcome {
    uint64_t cycles;    // that the clock was enabled
    uint32_t timed_out; // the jobs did not end
    uint32_t broken;    // rules of the memory port: 1 address, 2 data before its command, 4 something left
    uint32_t completed; // registers at the end
    uint32_t status;
    uint32_t error;
};

extern "C" __attribute__((visibility("default"))) void reset() {
    dut.sys_rst = dut.accelerator_rst = 1;
    for (int i = 0; i < 4; i++) {
        low();
        dut.sys_clk = dut.accelerator_clk = 1;
        dut.eval();
    }
    dut.sys_rst = dut.accelerator_rst = 0;
}

// Submits `count` descriptors, each as soon as the queue has room (or all at once if `overrun`), and waits until `ends`
// more jobs have ended; at most `limit` cycles.
extern "C" __attribute__((visibility("default"))) void run_jobs(const uint32_t *descriptors, uint32_t count,
                                                                uint32_t ends, uint8_t *memory, uint64_t words,
                                                                uint64_t seed, uint32_t stall, uint64_t limit,
                                                                uint32_t overrun, Outcome *outcome) {
    Random random{seed | 1};
    std::deque<Word> reads;
    std::deque<uint64_t> writes;
    std::memset(outcome, 0, sizeof *outcome);

    uint32_t latency = 0, submitted = 0;
    const uint32_t before = dut.completed;
    for (uint64_t cycle = 0;; cycle++) {
        if (cycle == limit) {
            outcome->timed_out = 1;
            break;
        }
        dut.sys_clk = dut.accelerator_clk = 0;
        dut.cmd_ready = !random.below(stall);
        dut.rdata_valid = !reads.empty() && latency == 0 && !random.below(stall);
        std::memset(&dut.rdata_data, 0xff, bytes);
        if (dut.rdata_valid)
            std::memcpy(&dut.rdata_data, reads.front().data(), bytes);
        dut.csr_we = submitted < count && (overrun || !(dut.status & 2));
        if (dut.csr_we) {
            dut.csr_adr = 0;
            dut.csr_dat_w = descriptors[submitted++];
        }
        dut.wdata_ready = 0;
        dut.eval();
        const bool enabled = dut.clock_enable;
        const bool command = dut.cmd_valid && dut.cmd_ready;
        dut.wdata_ready = (!writes.empty() || (command && dut.cmd_we)) && !random.below(stall);
        dut.eval();
        if (submitted == count && dut.completed - before == ends && !(dut.status & 1))
            break;
        outcome->cycles += enabled;
        if (enabled) {
            if (latency)
                latency--;
            if (dut.rdata_valid)
                reads.pop_front();
            if (command) {
                if (dut.cmd_address >= words)
                    outcome->broken |= 1;
                else if (dut.cmd_we)
                    writes.push_back(dut.cmd_address);
                else {
                    if (reads.empty() && stall)
                        latency = random.below(stall) ? 7 : 0;
                    Word word;
                    std::memcpy(word.data(), memory + uint64_t{bytes} * dut.cmd_address, bytes);
                    reads.push_back(word);
                }
            }
            if (dut.wdata_valid && writes.empty() && !dut.cmd_valid)
                outcome->broken |= 2;
            if (dut.wdata_valid && dut.wdata_ready) {
                Word data;
                std::memcpy(data.data(), &dut.wdata_data, bytes);
                for (int byte = 0; byte < bytes; byte++)
                    if (dut.wdata_we >> byte & 1)
                        memory[uint64_t{bytes} * writes.front() + byte] = data[byte];
                writes.pop_front();
            }
        }
        dut.sys_clk = 1;
        dut.accelerator_clk = enabled;
        dut.eval();
    }
    dut.csr_we = 0;
    low();
    if (!outcome->timed_out && (!reads.empty() || !writes.empty()))
        outcome->broken |= 4;
    outcome->completed = dut.completed - before;
    outcome->status = dut.status;
    outcome->error = dut.error;
}

// Writes 0 to the error register.
extern "C" __attribute__((visibility("default"))) void clear_error() {
    dut.csr_we = 1;
    dut.csr_adr = 3;
    dut.csr_dat_w = 0;
    low();
    dut.sys_clk = 1;
    dut.eval();
    dut.csr_we = 0;
    low();
}
