/* Targets of branches and addresses of data in x86 code: relative to the instruction, or counted from the start.
 *
 * Calls of one function hold a different distance each; counted from the start, they hold the same number, which a
 * context predicts. An operand is four bytes after one of
 *
 *     E8, E9                    call and jmp
 *     48…4F, any byte, modrm    64-bit operand at rip + distance; modrm & C7 == 05
 *     FF, 89, 8B or 8D, modrm   the same without a prefix
 *
 * whose highest byte is 00 or FF: a distance below 2^24. The lower three bytes of the distance, lowest first, become
 * those of (distance + place of the operand) mod 2^24, highest first: functions that are near share the first byte.
 *
 * Operands may overlap. They are replaced from the last to the first, so that all bytes up to an operand are those of
 * the source when it is replaced, and restored from the first to the last. Both work for any bytes.
 * priors/context_mixing/branch_targets.py is the twin. */
#include "core.h"

INLINE bool has_operand(const uint8_t *bytes, int64_t at) {
    uint8_t byte = bytes[at], opcode, prefix;
    if (((bytes[at + 4] + 1) & 0xFE) != 0) return false;
    if ((byte & 0xFE) == 0xE8) return true;
    if ((byte & 0xC7) != 0x05 || at < 2) return false;
    opcode = bytes[at - 1], prefix = bytes[at - 2];
    return (prefix & 0xF8) == 0x48 || opcode == 0xFF || opcode == 0x89 || opcode == 0x8B || opcode == 0x8D;
}

/* Replace the operands of all n bytes. */
EXPORT int64_t API(branch_targets_replace)(uint8_t *bytes, int64_t n) {
    for (int64_t at = n - 5; at >= 0; at--) {
        if (!has_operand(bytes, at)) continue;
        uint8_t *to = bytes + at + 1;
        uint32_t target = (uint32_t)(to[0] | to[1] << 8 | to[2] << 16) + (uint32_t)at;
        to[0] = (uint8_t)(target >> 16), to[1] = (uint8_t)(target >> 8), to[2] = (uint8_t)target;
    }
    return 0;
}

/* Restore the operands after the bytes [begin, end) of n. Then the bytes up to `end` are those of the source. */
EXPORT int64_t API(branch_targets_restore)(uint8_t *bytes, int64_t n, int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end && at + 4 < n; at++) {
        if (!has_operand(bytes, at)) continue;
        uint8_t *to = bytes + at + 1;
        uint32_t distance = (uint32_t)(to[0] << 16 | to[1] << 8 | to[2]) - (uint32_t)at;
        to[0] = (uint8_t)distance, to[1] = (uint8_t)(distance >> 8), to[2] = (uint8_t)(distance >> 16);
    }
    return 0;
}
