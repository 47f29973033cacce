/* Rows of PostgreSQL's binary COPY out of Arrow's columns of texts, and of one of int64.
 *
 * Values are put by copy_values.c. For little-endian machines. */

#include "bytes.h"

enum { TEXT, JSONB, JSON, INT64 }; /* other kinds are those of copy_values.c */

enum {
    LENGTH = 4, /* bytes before every field */
    SPARE = 12, /* bytes that a value may have more than its text */
    CHUNK = 16  /* short texts are copied at once */
};

static const uint8_t SEPARATOR = 0x1f;

int64_t supplyline_copy_value(int64_t kind, uint8_t *out, const uint8_t *text, int64_t n);

typedef struct {
    int64_t kind;
    const uint8_t *there; /* bits that say which cells are there; NULL where all are */
    const int32_t *ends;  /* where each text begins and the last ends */
    const uint8_t *data;
    int64_t size;         /* bytes of data */
    int64_t first;        /* the first row's place in the arrays */
} Source;

typedef struct {
    int64_t row, column; /* the cell that was not understood */
    int64_t separated;   /* whether a text holds U+001F */
} Found;

static inline void put_bytes(uint8_t *out, int64_t room, const uint8_t *text, int64_t rest,
                             int64_t n) {
    if (n <= CHUNK && room >= CHUNK && rest >= CHUNK)
        memcpy(out, text, CHUNK);
    else if (n)
        memcpy(out, text, (size_t)n);
}

enum { NOT_UNDERSTOOD = -1, BEYOND = -2 };

/* Puts one field into the `room` bytes at out; how many it takes, NOT_UNDERSTOOD or BEYOND. */
static inline int64_t put_field(const Source *c, int64_t row, uint8_t *out, int64_t room) {
    const int64_t at = c->first + row;
    if (room < LENGTH + SPARE)
        return BEYOND;
    if (c->there && !(c->there[at >> 3] >> (at & 7) & 1)) {
        put32(out, UINT32_MAX);
        return LENGTH;
    }
    if (c->kind == INT64) {
        uint64_t value;
        if (at >= c->size / 8)
            return BEYOND;
        memcpy(&value, c->data + 8 * at, 8);
        put32(out, 8);
        put64(out + LENGTH, value);
        return LENGTH + 8;
    }
    const int64_t begin = c->ends[at], end = c->ends[at + 1], n = end - begin;
    if (begin < 0 || n < 0 || end > c->size || room < LENGTH + SPARE + n)
        return BEYOND;
    const uint8_t *text = c->data + begin;
    int64_t size;
    if (c->kind == TEXT) {
        put_bytes(out + LENGTH, room - LENGTH, text, c->size - begin, n);
        size = n;
    } else if (n == 0) {
        put32(out, UINT32_MAX);
        return LENGTH;
    } else if (c->kind == JSONB || c->kind == JSON) {
        const int64_t version = c->kind == JSONB;
        out[LENGTH] = 1;
        memcpy(out + LENGTH + version, text, (size_t)n);
        size = n + version;
    } else {
        size = supplyline_copy_value(c->kind, out + LENGTH, text, n);
        if (size < 0)
            return NOT_UNDERSTOOD;
    }
    put32(out, (uint32_t)size);
    return LENGTH + size;
}

/* Whether a text of the column holds U+001F; its places were looked at. */
static int holds_separator(const Source *c, int64_t rows) {
    const int64_t begin = c->ends[c->first], end = c->ends[c->first + rows];
    return begin >= 0 && end > begin && end <= c->size &&
           memchr(c->data + begin, SEPARATOR, (size_t)(end - begin)) != NULL;
}

/* Puts the rows of `count` columns into the `capacity` bytes at out; answers how many bytes, or
 * NOT_UNDERSTOOD (`found` says which cell) or BEYOND: out is too small, or a text does not lie
 * within its data. An empty text is null but in a TEXT column. Enough is, for each row, 2 bytes and
 * 16 for each field, beside the texts. */
int64_t supplyline_copy_rows(const Source *columns, int64_t count, int64_t rows, uint8_t *out,
                             int64_t capacity, Found *found) {
    uint8_t *to = out;
    for (int64_t row = 0; row < rows; row++) {
        if (capacity - (to - out) < 2)
            return BEYOND;
        put16(to, (uint16_t)count);
        to += 2;
        for (int64_t i = 0; i < count; i++) {
            const int64_t size = put_field(&columns[i], row, to, capacity - (to - out));
            if (size < 0) {
                found->row = row;
                found->column = i;
                return size;
            }
            to += size;
        }
    }
    found->separated = 0;
    for (int64_t i = 0; rows && i < count && !found->separated; i++)
        found->separated = columns[i].kind == TEXT && holds_separator(&columns[i], rows);
    return to - out;
}
