/* Images that wait for their conversion: rows in status saving or importing with a staged file. */
#pragma once

struct api;
/* Converts what waits, one after the other, as long as nothing tells it to stop. Two that do it at once, in one process
 * or in several over one folder, share the work: a file that somebody is at is locked. */
void image_queue_work(struct api *api);
/* Looks for work every now and then from api_timers_start on; the work is done on a thread of its own. */
void image_queue_start(struct api *api);
/* Ends what is under way; it begins anew with the next start. After api_timers_stop. */
void image_queue_stop(void);
