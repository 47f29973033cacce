/* Digits, and numbers as they go over PostgreSQL's wire; for little-endian machines. */

#ifndef SUPPLYLINE_BYTES_H
#define SUPPLYLINE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline int is_digit(uint8_t byte) { return (uint8_t)(byte - '0') <= 9; }

static inline void put16(uint8_t *out, uint16_t value) {
    value = __builtin_bswap16(value);
    memcpy(out, &value, 2);
}

static inline void put32(uint8_t *out, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(out, &value, 4);
}

static inline void put64(uint8_t *out, uint64_t value) {
    value = __builtin_bswap64(value);
    memcpy(out, &value, 8);
}

#endif
