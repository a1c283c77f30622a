// The simulated board behind a C ABI: bytes of its serial line in and out. pyhost/targets/serial_simulation.py is its
// caller. Instances are independent of each other; one instance is for one thread at a time.

#include <cstdint>
#include <deque>
#include <string>

#include "Vsoc.h"
#include "Vsoc___024root.h"

// What Vsoc::eval() calls, between locks and queues that only $display and threads need.
void Vsoc___024root___eval(Vsoc___024root *root);

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// Cycles in which a line must be quiet to count as such: more than a byte and what the SoC does between two of them.
constexpr int quiet_bytes = 3;

// The other end of the SoC's `rx`: bytes become levels, 8 bits without parity.
class Sender {
  public:
    explicit Sender(uint32_t cycles_per_bit) : cycles_per_bit(cycles_per_bit) {}

    bool busy() const { return bits_left || !queue.empty(); }

    // The level in the next cycle.
    bool tick() {
        if (cycles_left == 0) {
            if (bits_left == 0 && !queue.empty()) {
                bits = 1u << 9 | static_cast<uint32_t>(queue.front()) << 1; // stop bit, data, start bit
                queue.pop_front();
                bits_left = 10;
            } else if (bits_left == 0) {
                return true;
            }
            level = bits & 1;
            bits >>= 1;
            bits_left--;
            cycles_left = cycles_per_bit;
        }
        cycles_left--;
        return level;
    }

    std::deque<uint8_t> queue;

  private:
    const uint32_t cycles_per_bit;
    uint32_t bits = 0, bits_left = 0, cycles_left = 0;
    bool level = true;
};

// The other end of `tx`: each bit is sampled in its middle.
class Receiver {
  public:
    explicit Receiver(uint32_t cycles_per_bit) : cycles_per_bit(cycles_per_bit) {}

    void tick(bool level) {
        if (bits_left == 0) {
            if (level) {
                quiet++;
                return;
            }
            bits_left = 10;
            cycles_left = cycles_per_bit / 2;
            quiet = 0;
        }
        if (cycles_left-- != 0)
            return;
        cycles_left = cycles_per_bit - 1;
        bits = bits >> 1 | static_cast<uint32_t>(level) << 9;
        if (--bits_left == 0 && level) // without a stop bit it was none
            text.push_back(static_cast<char>(bits >> 1 & 0xff));
    }

    std::string text;   // received and not yet fetched
    uint64_t quiet = 0; // cycles since the last byte in either direction

  private:
    const uint32_t cycles_per_bit;
    uint32_t bits = 0, bits_left = 0, cycles_left = 0;
};

class Board {
  public:
    explicit Board(uint32_t cycles_per_bit)
        : sender(cycles_per_bit), receiver(cycles_per_bit), quiet(quiet_bytes * 10 * cycles_per_bit) {
        constexpr int reset_cycles = 4;
        select();
        model.serial_rx = 1;
        model.eval();
        model.sys_rst = 1;
        for (int i = 0; i < reset_cycles; i++)
            tick(true);
        model.sys_rst = 0;
        model.eval();
    }
    ~Board() { select(); }

    // Until `count` cycles have passed, an answer is complete, or there is nothing to do.
    void step(uint64_t count) {
        select();
        for (uint64_t i = 0; i < count; i++) {
            model.serial_rx = sender.tick();
            tick(model.accelerator_clock_enable);
            receiver.tick(model.serial_tx);
            if (sender.busy())
                receiver.quiet = 0;
            if (receiver.quiet > quiet && (!receiver.text.empty() || asleep()))
                return;
        }
    }

    bool asleep() const { return model.idle && !sender.busy() && receiver.quiet > quiet; }

    VerilatedContext context;
    Vsoc model{&context};
    Sender sender;
    Receiver receiver;

  private:
    const uint64_t quiet;

    // Verilator's run time remembers one context a thread, even one that has been destroyed.
    void select() { Verilated::threadContextp(&context); }

    // One cycle. The accelerator's clock is the system's, gated: both edges in one evaluation.
    void tick(bool accelerator) {
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

// A board just powered up, whose line has bits of so many cycles.
EXPORT Board *board_create(uint32_t cycles_per_bit) { return new Board(cycles_per_bit); }

EXPORT void board_destroy(Board *board) { delete board; }

// Put bytes on the line to the board.
EXPORT void board_send(Board *board, const uint8_t *bytes, uint64_t count) {
    board->sender.queue.insert(board->sender.queue.end(), bytes, bytes + count);
}

// Run for at most so many cycles; less where an answer is complete or the board sleeps.
EXPORT void board_step(Board *board, uint64_t cycles) { board->step(cycles); }

// Whether nothing will happen until something is sent.
EXPORT bool board_asleep(const Board *board) { return board->asleep(); }

// Move up to `size` bytes that came from the board to `buffer` and return how many.
EXPORT uint64_t board_receive(Board *board, char *buffer, uint64_t size) {
    const uint64_t count = board->receiver.text.copy(buffer, size);
    board->receiver.text.erase(0, count);
    return count;
}
