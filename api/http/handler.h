/* What a handler sees: the request, and the reply it fills. It never touches microhttpd and never checks a permission.
 */
#pragma once
#include "api/http/reply.h"
#include "api/http/request.h"
