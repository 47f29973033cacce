/* PostgreSQL's hashtextextended (Bob Jenkins' lookup3) of many texts, for two seeds at once.
 *
 * After hash_bytes_extended in PostgreSQL's hashfn.c, for little-endian machines. */

#include <stdint.h>
#include <string.h>

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

/* Row i is the lengths[i] bytes at data + starts[i]. out: `rows` hashes with the first seed, then
 * as many with the second. Answers 0, or 1 if a row does not lie within the `size` bytes of data. */
int64_t supplyline_hash_rows(const uint8_t *data, int64_t size, const int64_t *starts,
                             const int64_t *lengths, int64_t rows, const uint64_t seeds[2],
                             uint64_t *out) {
    for (int64_t i = 0; i < rows; i++) {
        const int64_t length = lengths[i];
        if (length < 0 || starts[i] < 0 || starts[i] > size || length > size - starts[i])
            return 1;
        const uint8_t *at = data + starts[i];
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
        out[i] = value(&one);
        out[rows + i] = value(&two);
    }
    return 0;
}
