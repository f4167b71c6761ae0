/* Fault bodies as WebOb writes them: what Glance always answers, and Neutron for paths that it does not know. */
#pragma once
#include "api/http/handler.h"

/* A page with title, heading and `message` (escaped); sets the content type. */
void fault_html_write(struct request *request, struct reply *reply, int status, const char *message);
