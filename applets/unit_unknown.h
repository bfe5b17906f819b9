/* unit_unknown.h: a terminal of which nothing is known, for unit_modes and the fuzz target modes */
#include <string.h>
#include "libbb.h"

/* Makes m differ from `to` in every setting, so that modes_change() from m to `to` writes all of them. */
static inline void modes_unknown(struct modes *m, const struct modes *to)
{
	memset(m, 255, sizeof *m);
	m->changed = ~to->changed;
	m->alternate = to->alternate ? 0 : 1049;
	m->keyboard[0].depth = m->keyboard[1].depth = KEYBOARD_DEPTH;
	m->saved[0] = m->pen;
	m->colors = 0; /* they may be the user's own, and are not reset */
}
