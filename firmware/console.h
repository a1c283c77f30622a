/* Text on the SoC's UART, for people: the host reads results from the mailbox, never from here. */
#ifndef FLOATSOC_CONSOLE_H
#define FLOATSOC_CONSOLE_H

void console_print(const char *text);

#endif
