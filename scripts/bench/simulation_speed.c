/* The program of simulation_speed.py: matrix products in integers, for ever; after each round a line with the cycle
 * counter. */
#include <stdint.h>

#define SIZE 16
#define PRODUCTS 4

static uint32_t a[SIZE][SIZE], b[SIZE][SIZE], d[SIZE][SIZE];

static void print(char character) {
    while (*(volatile uint32_t *)UART_TXFULL) {
    }
    *(volatile uint32_t *)UART_RXTX = (uint8_t)character;
}

static void multiply(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += a[i][k] * b[k][j];
            d[i][j] = sum;
        }
}

static uint32_t cycles(void) {
    uint32_t count;
    __asm__ volatile("rdcycle %0" : "=r"(count)); /* VexRiscv `full` has it */
    return count;
}

int main(void) {
    for (uint32_t round = 0;; round++) {
        for (uint32_t i = 0; i < SIZE * SIZE; i++) {
            a[i / SIZE][i % SIZE] = round + i;
            b[i / SIZE][i % SIZE] = d[i / SIZE][i % SIZE] ^ i;
        }
        for (int i = 0; i < PRODUCTS; i++)
            multiply();
        uint32_t now = cycles();
        for (int shift = 28; shift >= 0; shift -= 4)
            print("0123456789abcdef"[now >> shift & 15]);
        print('\n');
    }
}

__attribute__((section(".text.start"), naked)) void _start(void) { __asm__ volatile("la sp, _stack_top\n j main"); }
