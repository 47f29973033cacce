/* Values of PostgreSQL's binary COPY out of their texts.
 *
 * A text is taken only if PostgreSQL gives the very text back; what is not understood is said and
 * never guessed. Forms after PostgreSQL's numeric_recv, date_recv, timestamp_recv, boolrecv and
 * uuid_recv; for little-endian machines. */

#include "bytes.h"

enum { BOOLEAN = 4, BIGINT, NUMERIC, DATE, TIMESTAMP, UUID };

enum {
    BIGINT_DIGITS = 18,
    WHOLE_DIGITS = 64, /* of a numeric, before the point */
    PLACES = 80,       /* and after it */
    DATE_WIDTH = 10,
    TIME_WIDTH = 19,   /* of a date and a time without fraction */
    FRACTION = 6,
    UUID_WIDTH = 36
};

int64_t supplyline_copy_value(int64_t kind, uint8_t *out, const uint8_t *text, int64_t n);

/* The number that eight digits are, or -1. */
static inline int64_t eight_digits(const uint8_t *text) {
    uint64_t w;
    memcpy(&w, text, 8);
    w ^= 0x3030303030303030u;
    if (((w + 0x7676767676767676u) | w) & 0x8080808080808080u)
        return -1;
    w = (w * 10 + (w >> 8)) & 0x00ff00ff00ff00ffu;
    w = (w * 100 + (w >> 16)) & 0x0000ffff0000ffffu;
    return (int64_t)((w * 10000 + (w >> 32)) & 0xffffffffu);
}

/* Values: how many bytes were put, or -1 for a text that is not understood. */

static inline int64_t put_boolean(uint8_t *out, const uint8_t *text, int64_t n) {
    if (n == 4 && memcmp(text, "true", 4) == 0)
        *out = 1;
    else if (n == 5 && memcmp(text, "false", 5) == 0)
        *out = 0;
    else
        return -1;
    return 1;
}

static inline int64_t put_bigint(uint8_t *out, const uint8_t *text, int64_t n) {
    const int64_t minus = *text == '-', digits = n - minus;
    if (digits < 1 || digits > BIGINT_DIGITS || (text[minus] == '0' && n > 1))
        return -1;
    uint64_t value = 0;
    for (int64_t i = minus; i < n; i++) {
        if (!is_digit(text[i]))
            return -1;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    put64(out, minus ? 0 - value : value);
    return 8;
}

/* Up to four digits as one of base 10000, or -1; those that are missing at the end are zeros. */
static inline int32_t base_digit(const uint8_t *text, int64_t count, int64_t missing) {
    int32_t value = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!is_digit(text[i]))
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    for (; missing > 0; missing--)
        value *= 10;
    return value;
}

typedef struct {
    uint8_t *out;
    int64_t count, weight; /* of digits of base 10000; none of them is a zero before all others */
    int64_t used;          /* without the zeros after all others */
} Digits;

static inline int add_digit(Digits *d, int32_t digit) {
    if (digit < 0)
        return 0;
    if (digit == 0 && d->count == 0) {
        d->weight--;
        return 1;
    }
    put16(d->out + 2 * d->count++, (uint16_t)digit);
    if (digit)
        d->used = d->count;
    return 1;
}

static inline int add_digits(Digits *d, const uint8_t *text, int64_t whole, int64_t places) {
    for (int64_t at = 0, next = (whole - 1) % 4 + 1; at < whole; at = next, next += 4)
        if (!add_digit(d, base_digit(text + at, next - at, 0)))
            return 0;
    for (int64_t at = whole + 1, end = at + places; at < end; at += 4) {
        const int64_t count = end - at < 4 ? end - at : 4;
        if (!add_digit(d, base_digit(text + at, count, 4 - count)))
            return 0;
    }
    return 1;
}

static inline int64_t put_numeric(uint8_t *out, const uint8_t *text, int64_t n) {
    const int64_t minus = *text == '-';
    text += minus;
    n -= minus;
    int64_t whole = 0;
    while (whole < n && is_digit(text[whole]))
        whole++;
    const int64_t places = whole < n ? n - whole - 1 : 0;
    if (whole < 1 || whole > WHOLE_DIGITS || (text[0] == '0' && whole > 1))
        return -1;
    if (whole < n && (text[whole] != '.' || places < 1 || places > PLACES))
        return -1;
    Digits d = {out + 8, 0, (whole + 3) / 4 - 1, 0};
    if (!add_digits(&d, text, whole, places) || (minus && !d.used))
        return -1;
    put16(out, (uint16_t)d.used);
    put16(out + 2, d.used ? (uint16_t)(int16_t)d.weight : 0);
    put16(out + 4, minus ? 0x4000 : 0);
    put16(out + 6, (uint16_t)places);
    return 8 + 2 * d.used;
}

static const int64_t NO_DAY = INT64_MIN;

/* Days from 2000-01-01 to a day of the years 1000 to 9999, or NO_DAY. */
static inline int64_t days_to(const uint8_t *text) {
    static const uint16_t before[13] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    static const uint8_t length[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint8_t digits[8];
    memcpy(digits, text, 4);
    memcpy(digits + 4, text + 5, 2);
    memcpy(digits + 6, text + 8, 2);
    const int64_t all = eight_digits(digits);
    if (all < 10000000 || text[4] != '-' || text[7] != '-')
        return NO_DAY;
    const int64_t year = all / 10000, month = all / 100 % 100, day = all % 100;
    if (month < 1 || month > 12)
        return NO_DAY;
    const int64_t leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > length[month] + (month == 2 && leap))
        return NO_DAY;
    const int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 + before[month] +
           (month > 2 && leap) + day - 1 - 730119;
}

static inline int64_t put_date(uint8_t *out, const uint8_t *text, int64_t n) {
    const int64_t days = n == DATE_WIDTH ? days_to(text) : NO_DAY;
    if (days == NO_DAY)
        return -1;
    put32(out, (uint32_t)(int32_t)days);
    return 4;
}

/* Seconds of ` HH:MI:SS`, or -1. */
static inline int64_t seconds_of(const uint8_t *text) {
    uint8_t digits[8] = {'0', '0'};
    memcpy(digits + 2, text + 1, 2);
    memcpy(digits + 4, text + 4, 2);
    memcpy(digits + 6, text + 7, 2);
    const int64_t all = eight_digits(digits);
    if (all < 0 || text[0] != ' ' || text[3] != ':' || text[6] != ':')
        return -1;
    const int64_t hour = all / 10000, minute = all / 100 % 100, second = all % 100;
    return hour > 23 || minute > 59 || second > 59 ? -1 : (hour * 60 + minute) * 60 + second;
}

/* Microseconds of `.1` to `.000001`, without a zero at the end, or of nothing; or -1. */
static inline int64_t fraction_of(const uint8_t *text, int64_t n) {
    if (n == 0)
        return 0;
    if (n < 2 || n > FRACTION + 1 || text[0] != '.' || text[n - 1] == '0')
        return -1;
    int64_t value = 0;
    for (int64_t i = 1; i <= FRACTION; i++) {
        if (i < n && !is_digit(text[i]))
            return -1;
        value = value * 10 + (i < n ? text[i] - '0' : 0);
    }
    return value;
}

static inline int64_t put_timestamp(uint8_t *out, const uint8_t *text, int64_t n) {
    if (n < TIME_WIDTH)
        return -1;
    const int64_t days = days_to(text), seconds = seconds_of(text + DATE_WIDTH);
    const int64_t fraction = fraction_of(text + TIME_WIDTH, n - TIME_WIDTH);
    if (days == NO_DAY || seconds < 0 || fraction < 0)
        return -1;
    put64(out, (uint64_t)((days * 86400 + seconds) * 1000000 + fraction));
    return 8;
}

static inline int hex_digit(uint8_t c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline int64_t put_uuid(uint8_t *out, const uint8_t *text, int64_t n) {
    if (n != UUID_WIDTH)
        return -1;
    for (int64_t i = 0; i < UUID_WIDTH;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return -1;
            continue;
        }
        const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        *out++ = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return 16;
}

/* Puts the value of a text of n > 0 bytes; how many bytes it takes, at most n + 12, or -1 for a
 * text that is not understood. */
int64_t supplyline_copy_value(int64_t kind, uint8_t *out, const uint8_t *text, int64_t n) {
    switch (kind) {
    case UUID:
        return put_uuid(out, text, n);
    case BOOLEAN:
        return put_boolean(out, text, n);
    case BIGINT:
        return put_bigint(out, text, n);
    case NUMERIC:
        return put_numeric(out, text, n);
    case DATE:
        return put_date(out, text, n);
    case TIMESTAMP:
        return put_timestamp(out, text, n);
    default:
        return -1;
    }
}
