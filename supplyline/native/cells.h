/* Columns of text as Arrow keeps them, and how a cell is copied. */

#ifndef SUPPLYLINE_CELLS_H
#define SUPPLYLINE_CELLS_H

#include <stdint.h>
#include <string.h>

enum { CHUNK = 16 };

/* Cell i is the bytes from offsets[i] up to offsets[i + 1] of the `size` bytes at data. */
typedef struct {
    const uint8_t *data;
    int64_t size;
    const int32_t *offsets; /* of the first row and of all behind it, one more than rows */
    int64_t suspect;        /* for the callee */
} Column;

/* Whether a cell lies where its column says. */
static inline int lies_within(const Column *column, int64_t row) {
    const int32_t start = column->offsets[row], end = column->offsets[row + 1];
    return 0 <= start && start <= end && end <= column->size;
}

/* Copies `size` bytes; CHUNK more can be written there, and are written over by what comes next.
 * readable: bytes that there are from `from` on. */
static inline void copy_cell(uint8_t *to, const uint8_t *from, int64_t size, int64_t readable) {
    if (size > 8 * CHUNK || size + CHUNK > readable) {
        if (size)
            memcpy(to, from, (size_t)size);
        return;
    }
    for (int64_t done = 0; done < size; done += CHUNK)
        memcpy(to + done, from + done, CHUNK);
}

#endif
