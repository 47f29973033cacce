/* The documents of a BSON array → the cells of columns, as Arrow keeps them.
 *
 * The bytes come from a network: a length is believed only as far as its document reaches. */

#include "cells.h"

enum { LONG = 0x12, SMALLEST = 5, AT_ONCE = 256, LINE = 64, AHEAD = 32768 };

/* A field of every document. Its value is a text, or a number if its head begins with LONG. */
typedef struct {
    const uint8_t *head; /* its type, name and NUL */
    int64_t head_size;
    int64_t *longs;   /* rows numbers */
    int32_t *starts;  /* rows places in the wire where the texts begin; NULL: it is passed over */
    int32_t *offsets; /* rows + 1 */
    uint8_t *data;    /* the texts, one behind the other */
    int64_t room;     /* bytes there, CHUNK of which are nobody's */
    uint8_t *valid;   /* a bit for every row */
    int64_t absent;   /* bits that are not set */
    uint64_t first, last, mask; /* of the head, for comparison */
} Field;

typedef struct {
    const uint8_t *wire;
    int64_t size, at, row, before, more;
} Walk;

static inline int32_t number_at(const uint8_t *at) {
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                     (uint32_t)at[3] << 24);
}

static inline int64_t long_at(const uint8_t *at) {
    return (int64_t)((uint64_t)(uint32_t)number_at(at) |
                     (uint64_t)(uint32_t)number_at(at + 4) << 32);
}

static inline uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static Walk begin(const uint8_t *wire, int64_t size) {
    const Walk walk = {wire, size, 4, 0, 3, 10};
    return walk;
}

/* The next document's size, with `at` at its beginning; 0: there is none; -1: its length lies.
 * Names are numbers, so that only the numbers of digits count. */
static inline int64_t next(Walk *walk, int64_t size_before) {
    const int64_t last = walk->size - 1;
    walk->at += size_before;
    if (walk->at >= last)
        return 0;
    if (walk->row == walk->more) {
        walk->before++;
        walk->more *= 10;
    }
    walk->at += walk->before; /* type, name, NUL */
    if (last - walk->at < SMALLEST)
        return -1;
    const int64_t size = number_at(walk->wire + walk->at);
    if (size < SMALLEST || size > last - walk->at)
        return -1;
    walk->row++;
    return size;
}

/* How many documents an array holds; -1: their lengths lie. */
int64_t supplyline_count_documents(const uint8_t *wire, int64_t size) {
    if (size > INT32_MAX)
        return -1;
    Walk walk = begin(wire, size);
    int64_t step = 0, asked = 0;
    while ((step = next(&walk, step)) > 0) {
        const int64_t until = walk.at + step + AHEAD < size ? walk.at + step + AHEAD : size;
        for (; asked < until; asked += LINE)
            __builtin_prefetch(wire + asked);
    }
    return step < 0 ? -1 : walk.row;
}

static void prepare(Field *field) {
    const int64_t some = field->head_size < 8 ? field->head_size : 8;
    uint8_t head[8] = {0}, mask[8] = {0};
    memcpy(head, field->head, (size_t)some);
    memset(mask, 0xff, (size_t)some);
    field->first = word_at(head);
    field->mask = word_at(mask);
    field->last = field->head_size > 8 ? word_at(field->head + field->head_size - 8) : 0;
}

/* Whether a field begins here; at least eight bytes can be read. */
static inline int is_at(const Field *field, const uint8_t *at) {
    const int64_t size = field->head_size;
    if ((word_at(at) & field->mask) != field->first)
        return 0;
    if (size > 8 && word_at(at + size - 8) != field->last)
        return 0;
    return size <= 16 || !memcmp(at + 8, field->head + 8, (size_t)(size - 16));
}

static inline void set_absent(Field *field, int64_t row) {
    if (field->valid)
        field->valid[row >> 3] &= (uint8_t)~(1u << (row & 7));
    field->absent++;
}

/* Reads a field of the document that ends with the byte at `end`: where the next one begins, or -1
 * if its length lies. */
static inline int64_t read_field(Field *field, const uint8_t *wire, int64_t at, int64_t end,
                                 int64_t row) {
    const int64_t head = field->head_size;
    if (field->longs) {
        if (end - at >= head + 8 && is_at(field, wire + at)) {
            field->longs[row] = long_at(wire + at + head);
            return at + head + 8;
        }
        field->longs[row] = 0;
        set_absent(field, row);
        return at;
    }
    int64_t start = 0, size = 0;
    if (end - at >= head + 5 && is_at(field, wire + at)) {
        start = at + head + 4;
        size = number_at(wire + at + head);
        at = -1;
        if (size >= 1 && size <= end - start && !wire[start + size - 1])
            at = start + size--;
        else
            start = size = 0;
    } else {
        set_absent(field, row);
    }
    if (field->starts) {
        field->starts[row] = (int32_t)start;
        field->offsets[row + 1] = field->offsets[row] + (int32_t)size;
    }
    return at;
}

/* Notes the cells of every document. documents: where each begins, then where each ends; odd: 1 for
 * those that do not end where their fields do. Answers how many these are, or -1 if there are not
 * exactly `rows` documents. */
int64_t supplyline_find_cells(const uint8_t *wire, int64_t size, Field *fields, int64_t count,
                              int64_t rows, int32_t *documents, uint8_t *odd) {
    if (size > INT32_MAX)
        return -1;
    for (int64_t f = 0; f < count; f++) {
        prepare(fields + f);
        fields[f].absent = 0;
        if (fields[f].valid)
            memset(fields[f].valid, 0xff, (size_t)((rows + 7) / 8));
        if (fields[f].starts)
            fields[f].offsets[0] = 0;
    }
    Walk walk = begin(wire, size);
    int64_t step = 0, found = 0;
    while ((step = next(&walk, step)) > 0) {
        const int64_t row = walk.row - 1, end = walk.at + step - 1;
        if (row >= rows)
            return -1;
        int64_t at = walk.at + 4;
        int lies = 0;
        for (int64_t f = 0; f < count; f++) {
            const int64_t to = read_field(fields + f, wire, at, end, row);
            lies |= to < 0;
            at = to < 0 ? end : to;
        }
        documents[row] = (int32_t)walk.at;
        documents[rows + row] = (int32_t)(end + 1);
        odd[row] = (uint8_t)(lies || at != end || wire[end]);
        found += odd[row];
    }
    return step < 0 || walk.row != rows ? -1 : found;
}

/* Copies the cells that were noted. Answers 0, or 1 if one does not lie where it may. */
int64_t supplyline_copy_cells(const uint8_t *wire, int64_t size, const Field *fields,
                              int64_t count, int64_t rows) {
    for (int64_t first = 0; first < rows; first += AT_ONCE) {
        const int64_t beyond = rows - first < AT_ONCE ? rows : first + AT_ONCE;
        for (int64_t f = 0; f < count; f++) {
            const Field *field = fields + f;
            if (!field->starts)
                continue;
            for (int64_t row = first; row < beyond; row++) {
                const int64_t start = field->starts[row], to = field->offsets[row];
                const int64_t length = field->offsets[row + 1] - to;
                if (start < 0 || start > size || length < 0 || length > size - start || to < 0 ||
                    length + CHUNK > field->room - to)
                    return 1;
                copy_cell(field->data + to, wire + start, length, size - start);
            }
        }
    }
    return 0;
}
