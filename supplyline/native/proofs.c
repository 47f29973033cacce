/* Whether every text of a column certainly is a plain number, or a date in a form of one width. */

#include "bytes.h"
#include "cells.h"

enum { NONE, YEAR, MONTH, DAY };

/* Digits from `begin` up to `end` whose number, where its role is not NONE, lies in this range. */
typedef struct {
    int64_t begin, end, role, least, most;
} Part;

typedef struct {
    int64_t place, byte;
} Literal;

static inline int64_t digits_at(const uint8_t *text, int64_t size) {
    int64_t count = 0;
    while (count < size && is_digit(text[count]))
        count++;
    return count;
}

static int is_number(const uint8_t *text, int64_t size, int64_t most, int64_t places) {
    const int64_t minus = size > 0 && text[0] == '-';
    text += minus;
    size -= minus;
    const int64_t whole = digits_at(text, size);
    if (whole < 1 || whole > most || (text[0] == '0' && (whole > 1 || minus)))
        return 0;
    if (whole == size)
        return 1;
    const int64_t behind = size - whole - 1;
    return text[whole] == '.' && 1 <= behind && behind <= places &&
           digits_at(text + whole + 1, behind) == behind;
}

/* 1 if every text is a number as it is written usually, with at most `most` digits before the point
 * and `places` behind it; 0 if not; -1 if a cell does not lie within its column. */
int64_t supplyline_are_numbers(const Column *column, int64_t rows, int64_t most, int64_t places) {
    for (int64_t row = 0; row < rows; row++) {
        if (!lies_within(column, row))
            return -1;
        const int32_t start = column->offsets[row];
        if (!is_number(column->data + start, column->offsets[row + 1] - start, most, places))
            return 0;
    }
    return 1;
}

static int exists(const int64_t date[4]) {
    static const int8_t days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int64_t year = date[YEAR], month = date[MONTH], day = date[DAY];
    if (month < 1 || month > 12)
        return 0;
    const int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return 1 <= day && day <= days[month] + (month == 2 && leap);
}

static int is_date(const uint8_t *text, const Part *parts, int64_t part_count,
                   const Literal *literals, int64_t literal_count) {
    for (int64_t i = 0; i < literal_count; i++)
        if (text[literals[i].place] != literals[i].byte)
            return 0;
    int64_t date[4] = {0};
    for (const Part *part = parts; part < parts + part_count; part++) {
        int64_t number = 0;
        for (int64_t i = part->begin; i < part->end; i++) {
            if (!is_digit(text[i]))
                return 0;
            number = number * 10 + (text[i] - '0');
        }
        if (number < part->least || number > part->most)
            return 0;
        date[part->role] = number;
    }
    return exists(date);
}

/* 1 if every text is a date that there is, `width` bytes wide; 0 if not, or if the form is none of
 * that width; -1 if a cell does not lie within its column. */
int64_t supplyline_are_dates(const Column *column, int64_t rows, int64_t width, const Part *parts,
                             int64_t part_count, const Literal *literals, int64_t literal_count) {
    for (int64_t i = 0; i < literal_count; i++)
        if (literals[i].place < 0 || literals[i].place >= width)
            return 0;
    for (int64_t i = 0; i < part_count; i++) {
        const Part part = parts[i];
        if (part.begin < 0 || part.end > width || part.end - part.begin > 9 || part.role < NONE ||
            part.role > DAY)
            return 0;
    }
    for (int64_t row = 0; row < rows; row++) {
        if (!lies_within(column, row))
            return -1;
        const int32_t start = column->offsets[row];
        if (column->offsets[row + 1] - start != width ||
            !is_date(column->data + start, parts, part_count, literals, literal_count))
            return 0;
    }
    return 1;
}
