/*
 * vm_objects.h: the two objects that a program of vm_fuzz maps, which stand for files.
 *
 * Objects are numbered from 1; 0 is no object. Nothing here sleeps or fails.
 */
#pragma once

#include "base/compiler.h"
#include "base/types.h"

#define OBJECTS 2u
#define OBJECT_PAGES 64u

struct vm_object;

void model_objects_begin(void);
void model_objects_end(void); /* checks that only these references are left */
struct vm_object *model_object(unsigned number); /* 0: NULL */
extern void (*model_object_asked)(void); /* called while an object looks for a page */

unsigned model_object_size(unsigned number); /* in pages, now */
unsigned *model_object_value(unsigned number, unsigned index); /* what the page's bytes are */
pfn_t model_object_frame(unsigned number, unsigned index);
bool model_object_is_dirty(unsigned number, unsigned index);
/* The object ends behind so many pages; who has more of them mapped loses them. */
void model_object_cut(unsigned number, unsigned pages);

/* Pages [first, first + count) become zero; nobody has them mapped then. */
void model_object_make_hole(unsigned number, unsigned first, unsigned count);
/* vm_object_deny_write, with what it must answer. */
void model_object_deny_write(unsigned number, bool keep_old, int expected);
bool model_object_is_denied(unsigned number); /* to new shared mappings that write */

/* All bytes of a frame are value; the same when read. */
void model_fill_frame(pfn_t pfn, unsigned value);
unsigned model_frame_value(pfn_t pfn);
