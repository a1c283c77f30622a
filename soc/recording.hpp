// What happens in a simulated SoC, cycle by cycle, as a record: where the program was, what the accelerator did, what
// went to main memory. Nothing here knows the model; simulation.cpp tells `observe` what it sees.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

// What is to be seen in one cycle.
struct Observation {
    uint64_t cycle;
    bool moment;                    // software latches the cycle counter: this cycle is the first that comes after
    bool executes;                  // an instruction is in the last stage of the pipeline
    uint32_t pc;                    // its address
    uint32_t instruction;           // its code
    uint8_t state;                  // of the accelerator
    std::array<uint8_t, 6> traffic; // events in this cycle, 0 or 1
};

// Cycles of each instruction, by the calls that led to it. A cycle belongs to the instruction that is in the last
// stage in it, or else to the next one that gets there: what it waited for, it waited for itself.
//
// Calls and returns are told by the link registers, ra and t0, as the RISC-V ISA's hints to a predictor of return
// addresses have it. A return unwinds to the call that it belongs to, however deep; one that belongs to none does
// nothing.
class Profile {
  public:
    struct Call {
        uint32_t caller;         // index of the call in which it happens; 0, the first, is whatever was before
        uint32_t return_address; // the instruction after the one that calls
    };
    struct Sample {
        uint32_t epoch; // from moment `epoch` to the next
        uint32_t call;  // index
        uint32_t pc;
        uint32_t cycles_low, cycles_high;
    };

    void moment(uint64_t cycle) { pending.push_back(cycle); }

    void executes(uint64_t cycle, uint32_t pc, uint32_t instruction) {
        if (pc != last_pc || cycle != last_cycle + 1) // not the same one, held up
            enter(pc, instruction);
        last_pc = pc;
        last_cycle = cycle;
        count_until(cycle + 1);
    }

    // Cycles up to, not including, `cycle` that no instruction has ended count as the last one's.
    void finish(uint64_t cycle) {
        count_until(cycle);
        flush();
    }

    std::vector<uint64_t> moments; // cycles, ascending; nothing is counted before the first
    std::vector<Call> calls{{0, 0}};
    std::vector<Sample> samples; // of one place in an epoch there may be several

  private:
    enum class Kind { OTHER, CALL, RETURN };

    void enter(uint32_t pc, uint32_t instruction) {
        if (last_kind == Kind::CALL) {
            current = call_from(last_pc + 4);
        } else if (last_kind == Kind::RETURN) {
            uint32_t call = current;
            while (call != 0 && calls[call].return_address != pc)
                call = calls[call].caller;
            if (call != 0)
                current = calls[call].caller;
        }
        last_kind = kind_of(instruction);
    }

    uint32_t call_from(uint32_t return_address) {
        const auto [place, is_new] =
            known_calls.try_emplace(uint64_t{current} << 32 | return_address, static_cast<uint32_t>(calls.size()));
        if (is_new)
            calls.push_back({current, return_address});
        return place->second;
    }

    static bool is_link(uint32_t number) { return number == 1 || number == 5; }

    static Kind kind_of(uint32_t instruction) {
        constexpr uint32_t jal = 0x6f, jalr = 0x67;
        const uint32_t opcode = instruction & 0x7f, rd = instruction >> 7 & 31, rs1 = instruction >> 15 & 31;
        if ((opcode == jal || opcode == jalr) && is_link(rd))
            return Kind::CALL;
        return opcode == jalr && is_link(rs1) ? Kind::RETURN : Kind::OTHER;
    }

    void count_until(uint64_t cycle) {
        while (!pending.empty() && pending.front() < cycle) {
            const uint64_t moment = pending.front();
            pending.pop_front();
            if (!moments.empty())
                add(moment - counted);
            flush();
            moments.push_back(moment);
            counted = moment;
        }
        if (!moments.empty() && cycle > counted)
            add(cycle - counted);
        counted = cycle;
    }

    // Most instructions of a loop are found in a small table; what is displaced from it goes to the large one.
    void add(uint64_t cycles) {
        const uint64_t key = uint64_t{current} << 32 | last_pc;
        Entry &entry = recent[(last_pc >> 2 ^ current * 0x9e37u) % recent.size()];
        if (entry.key != key) {
            if (entry.cycles)
                displaced[entry.key] += entry.cycles;
            entry = {key, 0};
        }
        entry.cycles += cycles;
    }

    void flush() {
        for (Entry &entry : recent) {
            if (entry.cycles)
                displaced[entry.key] += entry.cycles;
            entry.cycles = 0;
        }
        for (const auto &[key, cycles] : displaced)
            samples.push_back({static_cast<uint32_t>(moments.size() - 1), static_cast<uint32_t>(key >> 32),
                               static_cast<uint32_t>(key), static_cast<uint32_t>(cycles),
                               static_cast<uint32_t>(cycles >> 32)});
        displaced.clear();
    }

    struct Entry {
        uint64_t key, cycles;
    };
    std::array<Entry, 4096> recent{};
    std::unordered_map<uint64_t, uint64_t> displaced;
    std::unordered_map<uint64_t, uint32_t> known_calls;
    std::deque<uint64_t> pending; // moments that come before cycles not yet counted
    uint64_t counted = 0;         // cycles before this one are in the counts
    uint64_t last_cycle = 0;
    uint32_t last_pc = 0;
    uint32_t current = 0; // index of the call that is under way
    Kind last_kind = Kind::OTHER;
};

// The accelerator's states one after the other, and the traffic in intervals; both from the first moment on.
class Activity {
  public:
    static constexpr uint64_t interval = 64; // cycles
    struct Run {
        uint32_t state, length; // cycles
    };
    using Traffic = std::array<uint8_t, 6>; // events in an interval

    void cycle(uint8_t state, const Traffic &events) {
        if (runs.empty() || runs.back().state != state || runs.back().length == UINT32_MAX)
            runs.push_back({state, 0});
        runs.back().length++;
        if (cycles++ % interval == 0)
            traffic.push_back({});
        for (size_t i = 0; i < events.size(); i++)
            traffic.back()[i] += events[i];
    }

    std::vector<Run> runs;
    std::vector<Traffic> traffic;

  private:
    uint64_t cycles = 0;
};

class Recording {
  public:
    void observe(const Observation &seen) {
        if (seen.moment) {
            profile.moment(seen.cycle);
            begun = true;
        }
        if (seen.executes)
            profile.executes(seen.cycle, seen.pc, seen.instruction);
        if (begun)
            activity.cycle(seen.state, seen.traffic);
    }

    Profile profile;
    Activity activity;

  private:
    bool begun = false;
};
