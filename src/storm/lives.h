/* lives: the well-behaved behaviour: every connection plays its party's script, one act at a time, and is
 * over when the script is. Leaked ones stop short of their close(). */
#ifndef STORM_LIVES_H
#define STORM_LIVES_H

#include "storm/party.h"

extern const struct behaviour scripted_lives;

#endif
