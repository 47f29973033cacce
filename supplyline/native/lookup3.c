/* PostgreSQL's hashtextextended (Bob Jenkins' lookup3) of many texts, for two seeds at once.
 *
 * After hash_bytes_extended in PostgreSQL's hashfn.c, for little-endian machines. */

#include "cells.h"

#include <stdlib.h>

#define TURN(x, by) (((x) << (by)) | ((x) >> (32 - (by))))

typedef struct {
    uint32_t a, b, c;
} State;

static inline void mix(State *s) {
    s->a -= s->c; s->a ^= TURN(s->c, 4); s->c += s->b;
    s->b -= s->a; s->b ^= TURN(s->a, 6); s->a += s->c;
    s->c -= s->b; s->c ^= TURN(s->b, 8); s->b += s->a;
    s->a -= s->c; s->a ^= TURN(s->c, 16); s->c += s->b;
    s->b -= s->a; s->b ^= TURN(s->a, 19); s->a += s->c;
    s->c -= s->b; s->c ^= TURN(s->b, 4); s->b += s->a;
}

static inline void finish(State *s) {
    s->c ^= s->b; s->c -= TURN(s->b, 14);
    s->a ^= s->c; s->a -= TURN(s->c, 11);
    s->b ^= s->a; s->b -= TURN(s->a, 25);
    s->c ^= s->b; s->c -= TURN(s->b, 16);
    s->a ^= s->c; s->a -= TURN(s->c, 4);
    s->b ^= s->a; s->b -= TURN(s->a, 14);
    s->c ^= s->b; s->c -= TURN(s->b, 24);
}

static inline State begin(uint64_t length, uint64_t seed) {
    const uint32_t all = 0x9e3779b9u + (uint32_t)length + 3923095u;
    State s = {all, all, all};
    if (seed) {
        s.a += (uint32_t)(seed >> 32);
        s.b += (uint32_t)seed;
        mix(&s);
    }
    return s;
}

static inline void add(State *s, const uint32_t words[3]) {
    s->a += words[0];
    s->b += words[1];
    s->c += words[2];
}

static inline uint64_t value(const State *s) { return ((uint64_t)s->b << 32) | s->c; }

/* The hashes of one text with both seeds. */
static inline void hash_text(const uint8_t *at, int64_t length, const uint64_t seeds[2],
                             uint64_t *first, uint64_t *second) {
    State one = begin((uint64_t)length, seeds[0]), two = begin((uint64_t)length, seeds[1]);
    uint32_t words[3];
    int64_t left = length;
    for (; left >= 12; left -= 12, at += 12) {
        memcpy(words, at, 12);
        add(&one, words);
        mix(&one);
        add(&two, words);
        mix(&two);
    }
    /* The lowest byte of c is the length's, so that the last bytes begin one further. */
    uint8_t rest[13] = {0};
    memcpy(rest, at, (size_t)(left < 8 ? left : 8));
    if (left > 8)
        memcpy(rest + 9, at + 8, (size_t)(left - 8));
    memcpy(words, rest, 12);
    add(&one, words);
    finish(&one);
    add(&two, words);
    finish(&two);
    *first = value(&one);
    *second = value(&two);
}

/* Row i is the lengths[i] bytes at data + starts[i]. out: `rows` hashes with the first seed, then
 * as many with the second. Answers 0, or 1 if a row does not lie within the `size` bytes of data. */
int64_t supplyline_hash_rows(const uint8_t *data, int64_t size, const int64_t *starts,
                             const int64_t *lengths, int64_t rows, const uint64_t seeds[2],
                             uint64_t *out) {
    for (int64_t i = 0; i < rows; i++) {
        if (lengths[i] < 0 || starts[i] < 0 || starts[i] > size || lengths[i] > size - starts[i])
            return 1;
        hash_text(data + starts[i], lengths[i], seeds, out + i, out + rows + i);
    }
    return 0;
}

static int holds(const uint8_t *data, int64_t size, uint8_t one, uint8_t other) {
    uint8_t found = 0;
    for (int64_t i = 0; i < size; i++)
        found |= (uint8_t)((data[i] == one) | (data[i] == other));
    return found;
}

/* Bytes of a row's text; -1: a cell of it does not lie where it may. */
static int64_t row_length(const Column *columns, int64_t count, int64_t row) {
    int64_t length = count - 1;
    for (int64_t c = 0; c < count; c++) {
        if (!lies_within(columns + c, row))
            return -1;
        length += columns[c].offsets[row + 1] - columns[c].offsets[row];
    }
    return length;
}

/* Hashes rows of at least one column whose cells' texts are joined by `separator`; out: as above.
 * odd: 1 for rows that have a cell which holds NUL or the separator. Answers 0, 1 if a cell does
 * not lie within its column, 2 if there is no memory. */
int64_t supplyline_hash_columns(Column *columns, int64_t count, int64_t rows, int64_t separator,
                                const uint64_t seeds[2], uint64_t *out, uint8_t *odd) {
    const uint8_t mark = (uint8_t)separator;
    for (int64_t c = 0; c < count && rows; c++) {
        const int32_t from = columns[c].offsets[0], to = columns[c].offsets[rows];
        if (from < 0 || from > to || to > columns[c].size)
            return 1;
        columns[c].suspect = holds(columns[c].data + from, to - from, 0, mark);
    }
    uint8_t *text = NULL;
    int64_t room = 0, result = 0;
    for (int64_t row = 0; row < rows; row++) {
        const int64_t length = row_length(columns, count, row);
        if (length < 0) {
            result = 1;
            break;
        }
        if (length + CHUNK > room) {
            room = 2 * (length + CHUNK);
            free(text);
            text = malloc((size_t)room);
            if (!text) {
                result = 2;
                break;
            }
        }
        uint8_t *to = text;
        odd[row] = 0;
        for (int64_t c = 0; c < count; c++) {
            const Column *column = columns + c;
            const int64_t start = column->offsets[row], size = column->offsets[row + 1] - start;
            const uint8_t *cell = column->data + start;
            copy_cell(to, cell, size, column->size - start);
            if (column->suspect)
                odd[row] |= (uint8_t)holds(cell, size, 0, mark);
            to += size;
            *to++ = mark;
        }
        hash_text(text, length, seeds, out + row, out + rows + row);
    }
    free(text);
    return result;
}
