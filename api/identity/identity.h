/* Identity v3 as Keystone serves it, below /identity/v3; and the list of versions at /identity. */
#pragma once
#include "api/api.h"
#include "api/http/handler.h"

extern const struct service identity_service;
extern const struct service identity_root_service;

/* "<base>/identity/v3<path>" in the arena. */
const char *identity_url(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 404 with Keystone's sentence: "Could not find <what>: <id>." */
int identity_missing(struct request *request, const char *what, const char *id);
/* Turns a store's bare ERR_NOT_FOUND into that; other codes pass. */
int identity_found(struct request *request, int rc, const char *what, const char *id);
/* 409: "Conflict occurred attempting to store <type> - <details>." */
int identity_conflict(struct request *request, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 400: "Invalid input for field '<field>': <why>" */
int identity_invalid(struct request *request, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "links": {"self": "<base>/identity/v3/<collection>/<id>"} */
void identity_link(struct request *request, struct reply *reply, const char *collection, const char *id);
/* Names must hold something besides white space. */
int identity_check_name(struct request *request, const char *name);
/* A new id: 32 hex digits, in the arena. */
const char *identity_id(struct request *request);
