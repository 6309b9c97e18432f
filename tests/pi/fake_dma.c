/* Preloaded into programs under emulation: memory where a Raspberry Pi has DMA buffers.
 *
 * libcamera and picamera2 ask a heap, a file such as /dev/dma_heap/linux,cma, for each buffer of a camera. Here that
 * file is an empty one. What is asked of it is answered with a memfd, which a process can map, share and close like a
 * DMA buffer; and as it is ordinary memory, there are no caches to synchronize. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int allocate(struct dma_heap_allocation_data *wanted)
{
	int buffer = memfd_create("dma-buffer", MFD_CLOEXEC);

	if (buffer < 0)
		return -1;
	if (ftruncate(buffer, wanted->len) < 0) {
		int reason = errno;

		close(buffer);
		errno = reason;
		return -1;
	}
	wanted->fd = buffer;
	return 0;
}

int ioctl(int file, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);

	/* The kernel looks at 32 bits; Python passes negative numbers. */
	switch ((uint32_t)request) {
	case DMA_HEAP_IOCTL_ALLOC:
		return allocate(argument);
	case DMA_BUF_IOCTL_SYNC:
	case (uint32_t)DMA_BUF_SET_NAME_A:
	case (uint32_t)DMA_BUF_SET_NAME_B:
		return 0;
	default:
		return syscall(SYS_ioctl, file, request, argument);
	}
}
