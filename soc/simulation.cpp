// The simulated SoC behind a C ABI: pyhost/targets/verilator.py is its caller.
// Instances are independent of each other; one instance is for one thread at a time.

#include <cstdint>
#include <cstring>
#include <string>

#include "Vsoc.h"
#include "Vsoc___024root.h"

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
    }

    void step(uint64_t count) {
        constexpr uint64_t observed = 32; // cycles at the end of a step in which the program counter is looked at
        const uint64_t blind = count > observed ? count - observed : 0;
        select();
        for (uint64_t i = 0; i < blind; i++)
            tick(model.accelerator_clock_enable | !clock_gate);
        for (uint64_t i = blind; i < count; i++) {
            tick(model.accelerator_clock_enable | !clock_gate);
            if (model.rootp->soc__DOT__VexRiscv__DOT__writeBack_arbitration_isValid)
                program_counter = model.rootp->soc__DOT__VexRiscv__DOT__memory_to_writeBack_PC;
        }
        cycles += count;
    }

    auto &ram() { return model.rootp->soc__DOT__main_ram; }

    VerilatedContext context;
    Vsoc model{&context};
    std::string console; // printed and not yet fetched
    uint64_t cycles = 0;
    uint32_t program_counter = 0; // of the instruction that ended last
    bool clock_gate = true;       // the accelerator's clock stands still while it has nothing to do

  private:
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
