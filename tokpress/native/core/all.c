/* The whole core, compiled once for each instruction set (build.py): TP_ISA names it. */
#include "core.h"

#include "product.c"
#include "range_coder.c"
#include "rows_coder.c"
#include "scan.c"
#include "adaptive.c"
#include "bpe.c"
#include "rows.c"
#include "text.c"
#include "samples.c"
