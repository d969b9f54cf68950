/*
 * fmt.c: formatting by stb_sprintf.
 *
 * What:       the header library is compiled here, once, without floating point.
 * Invariants: none.
 * Locking:    none; pure.
 * Failure:    none; long texts are cut.
 * Source:     libstb-dev, stb_sprintf.h.
 */
#include "lib/fmt.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define STB_SPRINTF_NOFLOAT
#define STB_SPRINTF_STATIC
#define STB_SPRINTF_NOUNALIGNED
#define STB_SPRINTF_IMPLEMENTATION
#define double long /* va_arg(ap, double) needs vector registers; no %f is ever used */
#include <stb/stb_sprintf.h>
#undef double
#pragma GCC diagnostic pop

int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list ap)
{
	return stbsp_vsnprintf(buf, (int)size, format, ap);
}

int fmt_snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = fmt_vsnprintf(buf, size, format, ap);
	va_end(ap);
	return n;
}
