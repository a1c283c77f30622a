/* The project's own exp, log and rsqrt in binary32: the same bits here and in pyhost/golden/elementary.py. */
#ifndef FLOATSOC_ELEMENTARY_H
#define FLOATSOC_ELEMENTARY_H

float binary32_exp(float x);
float binary32_log(float x);
float binary32_rsqrt(float x);

#endif
