/* Memory in whole cache lines, so that no vector straddles two. */
#include "internal.h"

#if defined(_WIN32)
#include <malloc.h>
#endif

void *comeo_allocate(size_t size) {
    size = padded_to(size + SPARE, SPARE);
#if defined(_WIN32)
    return _aligned_malloc(size, SPARE);
#else
    return aligned_alloc(SPARE, size);
#endif
}

void comeo_release(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* Make a buffer at least so large; what it held is lost. NULL: no memory, and the buffer is empty. */
void *comeo_grow(struct buffer *buffer, size_t size) {
    if (size <= buffer->size) return buffer->start;
    comeo_release(buffer->start);
    buffer->start = comeo_allocate(size);
    buffer->size = buffer->start ? size : 0;
    return buffer->start;
}
