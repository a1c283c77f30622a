#include "array.h"

static struct codec codecs[FORMAT_LIMIT];
static bool valid[FORMAT_LIMIT];

void codecs_prepare(void) {
    for (uint32_t i = 0; i < FORMAT_LIMIT; i++) {
        struct format format = mailbox.formats[i];
        valid[i] = codec_prepare(&codecs[i], &format);
    }
}

const struct codec *codec_find(uint32_t index) { return index < FORMAT_LIMIT && valid[index] ? &codecs[index] : 0; }
