/* The address by which this host is known to people: the one that its packets to the API carry. */
#pragma once
#define HOST_ADDRESS_SIZE 64
/* Sends nothing. "127.0.0.1" when the API's URL names no address that can be reached. Returns `ret`. */
char *host_address(const char *url, char ret[HOST_ADDRESS_SIZE]);
