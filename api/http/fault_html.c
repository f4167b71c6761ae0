/* WebOb's page: webob/exc.py, html_template and body_template. */
#include "api/http/fault_html.h"
#include "api/http/fault.h"

static void append_escaped(struct strbuf *s, const char *text)
{
    for (; *text != 0; text++) {
        switch (*text) {
        case '&':
            strbuf_append_text(s, "&amp;");
            break;
        case '<':
            strbuf_append_text(s, "&lt;");
            break;
        case '>':
            strbuf_append_text(s, "&gt;");
            break;
        case '"':
            strbuf_append_text(s, "&quot;");
            break;
        case '\'':
            strbuf_append_text(s, "&#x27;");
            break;
        default:
            strbuf_append_char(s, *text);
        }
    }
}

void fault_html_write(struct request *request, struct reply *reply, int status, const char *message)
{
    (void)request;
    reply->content_type = "text/html; charset=UTF-8";
    strbuf_appendf(&reply->body, "<html>\n <head>\n  <title>%d %s</title>\n </head>\n <body>\n  <h1>%d %s</h1>\n  ",
                   status, fault_title(status), status, fault_title(status));
    append_escaped(&reply->body, message);
    strbuf_append_text(&reply->body, "<br /><br />\n\n\n\n </body>\n</html>");
}
