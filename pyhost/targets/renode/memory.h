/* Main memory as the model of the accelerator sees it. Included before everything else in each of the firmware's files.
 */
#ifndef FLOATSOC_RENODE_MEMORY_H
#define FLOATSOC_RENODE_MEMORY_H

#include <stdint.h>

/* Where the model's scratchpads are: beyond main memory, which ends at 0xc0000000 at the latest. */
#define SCRATCHPAD_A 0xc0000000u
#define SCRATCHPAD_B 0xe0000000u

struct model_memory {
    uint8_t *bytes;
    uint32_t base, size;
    uint8_t *scratchpad_a, *scratchpad_b;
};

extern struct model_memory model_memory;

/* Of an address that has been found to exist. */
static inline void *model_memory_at(uint32_t address) {
    uint32_t offset = address - model_memory.base;
    if (offset < model_memory.size)
        return model_memory.bytes + offset;
    return address < SCRATCHPAD_B ? model_memory.scratchpad_a + (address - SCRATCHPAD_A)
                                  : model_memory.scratchpad_b + (address - SCRATCHPAD_B);
}

#define MEMORY_AT(address) model_memory_at(address)

#endif
