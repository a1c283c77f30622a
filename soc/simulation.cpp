// The simulated SoC behind a C ABI: pyhost/targets/verilator.py is its caller.
// Instances are independent of each other; one instance is for one thread at a time.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "Vsoc.h"
#include "Vsoc___024root.h"

#include "recording.hpp"

// What Vsoc::eval() calls, between locks and queues that only $display and threads need.
void Vsoc___024root___eval(Vsoc___024root *root);

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

class Simulation {
  public:
    Simulation() {
        model.eval();
        reset();
    }
    ~Simulation() { select(); }

    // Leaves the SoC in its first cycle after reset; main RAM keeps its contents.
    void reset() {
        constexpr int reset_cycles = 4;
        select();
        model.sys_rst = 1;
        for (int i = 0; i < reset_cycles; i++)
            tick(true);
        model.sys_rst = 0;
        model.eval();
        console.clear();
        cycles = 0;
        program_counter = 0;
        recording.reset();
        is_recording = false;
    }

    void step(uint64_t count) {
        constexpr uint64_t observed = 32; // cycles at the end of a step in which the program counter is looked at
        const uint64_t blind = count > observed ? count - observed : 0;
        select();
        if (is_recording)
            return recorded_step(count);
        for (uint64_t i = 0; i < blind; i++)
            tick(model.accelerator_clock_enable | !clock_gate);
        for (uint64_t i = blind; i < count; i++) {
            tick(model.accelerator_clock_enable | !clock_gate);
            if (model.rootp->soc__DOT__VexRiscv__DOT__writeBack_arbitration_isValid)
                program_counter = model.rootp->soc__DOT__VexRiscv__DOT__memory_to_writeBack_PC;
        }
        cycles += count;
    }

    void record() {
        recording = std::make_unique<Recording>();
        is_recording = true;
    }

    void stop_recording() {
        if (is_recording)
            recording->profile.finish(cycles);
        is_recording = false;
    }

    auto &ram() { return model.rootp->soc__DOT__main_ram; }

    VerilatedContext context;
    Vsoc model{&context};
    std::string console; // printed and not yet fetched
    uint64_t cycles = 0;
    uint32_t program_counter = 0;         // of the instruction that ended last
    bool clock_gate = true;               // the accelerator's clock stands still while it has nothing to do
    std::unique_ptr<Recording> recording; // the last one, until reset

  private:
    void recorded_step(uint64_t count) {
        for (uint64_t i = 0; i < count; i++) {
            const bool accelerator = model.accelerator_clock_enable | !clock_gate;
            const Observation seen = look(accelerator);
            if (seen.executes)
                program_counter = seen.pc;
            recording->observe(seen);
            tick(accelerator);
            cycles++;
        }
    }

    // The cycle that the next clock edge ends.
    Observation look(bool accelerator) {
        const auto &root = *model.rootp;
        Observation seen{.cycle = cycles, .moment = model.moment != 0};
        seen.executes = root.soc__DOT__VexRiscv__DOT__writeBack_arbitration_isValid;
        if (seen.executes) {
            seen.pc = root.soc__DOT__VexRiscv__DOT__memory_to_writeBack_PC;
            const uint32_t offset = seen.pc - main_ram_origin;
            if (offset <= sizeof ram() - sizeof seen.instruction)
                std::memcpy(&seen.instruction, reinterpret_cast<const char *>(&ram()) + offset,
                            sizeof seen.instruction);
        }
        seen.traffic = {0, 0, 0, model.cpu_bus_read, model.cpu_bus_write, model.cpu_bus_request};
        if (accelerator) {
            enum { IDLE, BUSY, WAIT_A, WAIT_B, WAIT_STORE };
            const bool counting = model.activity_counting;
            seen.state = !counting               ? IDLE
                         : model.activity_busy   ? BUSY
                         : model.activity_wait_a ? WAIT_A
                         : model.activity_wait_b ? WAIT_B
                                                 : WAIT_STORE;
            seen.traffic[0] = model.activity_read;
            seen.traffic[1] = model.activity_write;
            seen.traffic[2] = counting && model.activity_bus_wait;
        }
        return seen;
    }

    static constexpr uint32_t main_ram_origin = 0x40000000;
    bool is_recording = false;

    // Verilator's run time remembers one context a thread, even one that has been destroyed.
    void select() { Verilated::threadContextp(&context); }

    // One cycle. The accelerator's clock is the system's, gated: both edges in one evaluation.
    void tick(bool accelerator) {
        if (model.console_valid)
            console.push_back(static_cast<char>(model.console_data));
        clocks_fell(*model.rootp);
        model.sys_clk = 1;
        model.accelerator_clk = accelerator;
        Vsoc___024root___eval(model.rootp);
    }

    // Nothing happens on a falling edge, so it is not evaluated: the model's memory of the clocks is set to low.
    template <typename Root> static void clocks_fell(Root &root) {
        root.__Vtrigprevexpr___TOP__sys_clk__0 = 0;
        if constexpr (requires { root.__Vtrigprevexpr___TOP__accelerator_clk__0; }) // there is an accelerator
            root.__Vtrigprevexpr___TOP__accelerator_clk__0 = 0;
    }
};

} // namespace

EXPORT Simulation *soc_create() { return new Simulation; }

EXPORT void soc_destroy(Simulation *soc) { delete soc; }

EXPORT void soc_reset(Simulation *soc) { soc->reset(); }

EXPORT void soc_step(Simulation *soc, uint64_t cycles) { soc->step(cycles); }

EXPORT uint64_t soc_cycles(const Simulation *soc) { return soc->cycles; }

EXPORT uint32_t soc_program_counter(const Simulation *soc) { return soc->program_counter; }

// Whether a load or store has gone where nothing is, since reset.
EXPORT bool soc_bus_error(const Simulation *soc) { return soc->model.bus_error; }

// Record every cycle from now on until `soc_stop_recording`; forgets the recording before.
EXPORT void soc_record(Simulation *soc) { soc->record(); }

EXPORT void soc_stop_recording(Simulation *soc) { soc->stop_recording(); }

// An array of what was recorded, and its length: moments, calls, samples, runs, traffic (see recording.hpp). Valid
// until the simulation goes on.
EXPORT const void *soc_recorded(const Simulation *soc, uint32_t which, uint64_t *count) {
    const auto array = [count](const auto &vector) -> const void * {
        *count = vector.size();
        return vector.data();
    };
    const Recording &recording = *soc->recording;
    switch (which) {
    case 0:
        return array(recording.profile.moments);
    case 1:
        return array(recording.profile.calls);
    case 2:
        return array(recording.profile.samples);
    case 3:
        return array(recording.activity.runs);
    default:
        return array(recording.activity.traffic);
    }
}

// Main RAM's bytes, little endian like the SoC; valid as long as the simulation is.
EXPORT void *soc_ram(Simulation *soc) { return &soc->ram(); }

EXPORT uint64_t soc_ram_bytes(Simulation *soc) { return sizeof soc->ram(); }

// Probability times 65536 that the accelerator's memory port holds up a handshake in a cycle.
EXPORT void soc_set_stall(Simulation *soc, uint16_t probability) { soc->model.stall = probability; }

// Without the gate the accelerator's clock never stops: slower, and jobs may begin a cycle earlier.
EXPORT void soc_set_clock_gate(Simulation *soc, bool gate) { soc->clock_gate = gate; }

// Move up to `size` bytes of console output to `buffer` and return how many.
EXPORT uint64_t soc_console(Simulation *soc, char *buffer, uint64_t size) {
    const uint64_t count = soc->console.copy(buffer, size);
    soc->console.erase(0, count);
    return count;
}
