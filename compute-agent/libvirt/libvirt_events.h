/* libvirt's event loop on ours: descriptors and time-outs that libvirt asks for, from whichever thread, are served by
 * the loop. */
#pragma once

struct loop;

/* Once in a process, on the loop's thread, before the first connection. */
void libvirt_events_register(struct loop *loop);
/* The loop ends: nothing is served any more. */
void libvirt_events_stop(void);
