/* The project's own exp and log in binary32: the same bits here and in pyhost/golden/elementary.py. */
#ifndef FLOATSOC_ELEMENTARY_H
#define FLOATSOC_ELEMENTARY_H

float binary32_exp(float x);
float binary32_log(float x);

#endif
