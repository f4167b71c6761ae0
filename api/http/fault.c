/* The shared fault shape. */
#include "api/http/fault.h"

const char *fault_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {300, "Multiple Choices"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Requested Range Not Satisfiable"},
        {429, "Too Many Requests"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return status < 500 ? "Bad Request" : "Internal Server Error";
}

void fault_write(struct request *request, struct reply *reply, int status, const char *message)
{
    (void)request;
    json_out_object(&reply->out, NULL);
    json_out_object(&reply->out, "error");
    json_out_int(&reply->out, "code", status);
    json_out_text(&reply->out, "title", fault_title(status));
    json_out_text(&reply->out, "message", message);
    json_out_object_end(&reply->out);
    json_out_object_end(&reply->out);
}
