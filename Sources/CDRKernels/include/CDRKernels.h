// CDRKernels: the inner loops. Small pure functions over (pointer, count): no allocation, no I/O. Each kernel that has
// a fast version has a plain one too, which is the reference in tests and runs where the fast can't.
#ifndef CDRKERNELS_H
#define CDRKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CDRArchive.h"
#include "CDRFloat.h"
#include "CDRTokens.h"
