/* Functions in two copies: one for every processor of the family, one for those with 256-bit registers (AVX2), of which
   the loader takes the one that fits. Each lane has the same operations in the same order, and products are not joined
   with sums (-ffp-contract=off): the copies give the same bits. */

#ifndef RADZOO_CLONES_H
#define RADZOO_CLONES_H

#include <stdint.h>
#include <string.h>

#if defined(__has_attribute) && defined(__x86_64__) && defined(__GLIBC__)
#if __has_attribute(target_clones)
#define IN_CLONES __attribute__((target_clones("avx2", "default")))
#endif
#endif
#ifndef IN_CLONES
#define IN_CLONES
#endif

#endif
