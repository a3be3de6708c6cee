/* A server that outruns every client: streams of events that carry the time at which they were sent.

     server [--port 0] [key=value ...]          prints the port it listens on

   One thread, epoll, keep-alive. POST /v1/completions answers with an event stream in the shape of vLLM,
   one HTTP chunk an event; the digits of each event's `id` are CLOCK_MONOTONIC in nanoseconds just before it
   was sent. Keys, on the command line, in the query of a request, or in POST /config?... (which also
   forgets the figures so far):

     tokens=200      events of one token in a stream; fewer where the request's max_tokens is less
     ttft_ms=0       from the arrival of the request, as the kernel saw it, to its first event
     itl_ms=0        from one event to the next; 0 is an open throttle: as many as the socket takes
     pace=own        own: each stream by its own arrival; spread: first tokens are put off by a share of
                     itl_ms, so that streams interleave evenly; burst: all streams send at the same instants
     counted=0       1: events carry token_ids and usage, as vLLM sends when it is asked to
     usage=1         0: no last event without choices that says usage, which SGLang's client does not stand

   GET /stats gives the truth as JSON: requests, events, first_ns (arrival of the first request for a stream,
   CLOCK_MONOTONIC; 0 before it), TTFT (arrival to first send) and ITL (between sends), milliseconds.
   GET /sends gives each stream's sends: the FNV-1a hash of the request's body, their number, their times.
   GET /v1/models and /health answer as expected. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

#define MAX_CONNS 16384
#define IN_BYTES (1 << 20)
#define OUT_BYTES (1 << 17)

enum pace { OWN, SPREAD, BURST };
struct settings { int tokens, counted, usage; enum pace pace; int64_t ttft_ns, itl_ns; };

struct conn {
    int fd, streaming, sent_tokens, writing;
    struct settings set;
    char *in; size_t in_len;
    char *out; size_t out_len, out_off;
    int64_t arrived_ns, last_ns, due_ns;
    size_t log_at;                       /* where in `sends` this stream's times go */
};

static struct settings defaults = {200, 0, 1, OWN, 0, 0};
static struct conn *conns[MAX_CONNS];
static struct conn *heap[MAX_CONNS]; static int heap_len;      /* by due_ns */
static struct figures ttft, itl;
static long requests, events;
static int64_t first_ns;
static int64_t *sends; static size_t sends_len, sends_cap;
static int epoll_fd;
static int64_t real_minus_mono;
static unsigned streams_begun;

static int64_t now_ns(void) {
    struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void measure_offset(void) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        struct timespec r; int64_t a = now_ns(); clock_gettime(CLOCK_REALTIME, &r); int64_t b = now_ns();
        if (b - a < best) { best = b - a; real_minus_mono = r.tv_sec * 1000000000LL + r.tv_nsec - (a + b) / 2; }
    }
}

/* settings */

static void set_one(struct settings *s, const char *key, const char *value) {
    if (!strcmp(key, "tokens")) s->tokens = atoi(value);
    else if (!strcmp(key, "counted")) s->counted = atoi(value);
    else if (!strcmp(key, "usage")) s->usage = atoi(value);
    else if (!strcmp(key, "ttft_ms")) s->ttft_ns = (int64_t)(atof(value) * 1e6);
    else if (!strcmp(key, "itl_ms")) s->itl_ns = (int64_t)(atof(value) * 1e6);
    else if (!strcmp(key, "pace")) s->pace = value[0] == 's' ? SPREAD : value[0] == 'b' ? BURST : OWN;
}

static void set_from_query(struct settings *s, const char *query, size_t len) {
    char text[512]; if (len >= sizeof text) len = sizeof text - 1;
    memcpy(text, query, len); text[len] = 0;
    for (char *save, *part = strtok_r(text, "&", &save); part; part = strtok_r(NULL, "&", &save)) {
        char *equals = strchr(part, '=');
        if (equals) { *equals = 0; set_one(s, part, equals + 1); }
    }
}

/* timers: a binary heap */

static void heap_push(struct conn *c) {
    int i = heap_len++;
    for (; i > 0 && heap[(i - 1) / 2]->due_ns > c->due_ns; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = c;
}

static struct conn *heap_pop(void) {
    struct conn *top = heap[0], *last = heap[--heap_len];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap_len) break;
        if (child + 1 < heap_len && heap[child + 1]->due_ns < heap[child]->due_ns) child++;
        if (heap[child]->due_ns >= last->due_ns) break;
        heap[i] = heap[child]; i = child;
    }
    heap[i] = last;
    return top;
}

static void heap_remove(struct conn *c) {
    int found = 0;
    for (int i = 0; i < heap_len; i++) if (heap[i] == c) { heap[i] = heap[--heap_len]; found = 1; break; }
    if (!found) return;
    struct conn *all[MAX_CONNS]; int n = heap_len; memcpy(all, heap, n * sizeof *all);
    heap_len = 0;
    for (int i = 0; i < n; i++) heap_push(all[i]);
}

/* writing */

static void watch(struct conn *c, int writing) {
    if (c->writing == writing) return;
    c->writing = writing;
    struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.fd = c->fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void drop(struct conn *c) {
    heap_remove(c);
    conns[c->fd] = NULL; close(c->fd);
    free(c->in); free(c->out); free(c);
}

static int flush(struct conn *c) {
    while (c->out_off < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) { watch(c, 1); return 0; }
        if (n < 0) return -1;
        c->out_off += n;
    }
    c->out_off = c->out_len = 0;
    return 0;
}

static void put(struct conn *c, const char *text, size_t len) {
    memcpy(c->out + c->out_len, text, len); c->out_len += len;
}

static void put_chunk(struct conn *c, const char *text, int len) {
    c->out_len += sprintf(c->out + c->out_len, "%x\r\n", len);
    put(c, text, len); put(c, "\r\n", 2);
}

static void put_token(struct conn *c, int64_t t_ns) {
    static char usual[512], *digits; static int usual_len;
    int n = ++c->sent_tokens, last = n == c->set.tokens;
    if (!usual_len) {
        usual_len = sprintf(usual + 8, "data: {\"id\":\"cmpl-0000000000000000000\",\"object\":\"text_completion\","
            "\"created\":1763700000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"text\":\" token\","
            "\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null,\"token_ids\":null}],\"usage\":null}\n\n");
        int head = sprintf(usual, "%x", usual_len);
        memmove(usual + head + 2, usual + 8, usual_len); memcpy(usual + head, "\r\n", 2);
        digits = usual + head + 2 + 18; usual_len += head + 2;
        memcpy(usual + usual_len, "\r\n", 2); usual_len += 2;
    }
    if (last || c->set.counted) {
        char text[768], ids[32] = "null", usage[96] = "null";
        if (c->set.counted) {
            sprintf(ids, "[%d]", 1000 + n);
            sprintf(usage, "{\"prompt_tokens\":8,\"total_tokens\":%d,\"completion_tokens\":%d}", 8 + n, n);
        }
        put_chunk(c, text, sprintf(text, "data: {\"id\":\"cmpl-%019lld\",\"object\":\"text_completion\","
            "\"created\":1763700000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"text\":\" token\","
            "\"logprobs\":null,\"finish_reason\":%s,\"stop_reason\":null,\"token_ids\":%s}],\"usage\":%s}\n\n",
            (long long)t_ns, last ? "\"length\"" : "null", ids, usage));
    } else {
        static int64_t written;
        if (written != t_ns) {
            char text[24]; sprintf(text, "%019lld", (long long)t_ns); memcpy(digits, text, 19); written = t_ns;
        }
        put(c, usual, usual_len);
    }
    if (n == 1) add(&ttft, t_ns - c->arrived_ns); else add(&itl, t_ns - c->last_ns);
    c->last_ns = t_ns; sends[c->log_at + 1 + n] = t_ns; events++;
}

static void put_end(struct conn *c) {
    char text[512];
    if (c->set.usage) put_chunk(c, text, sprintf(text,
        "data: {\"id\":\"cmpl-0000000000000000000\",\"object\":\"text_completion\","
        "\"created\":1763700000,\"model\":\"bench-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,"
        "\"total_tokens\":%d,\"completion_tokens\":%d}}\n\n", 8 + c->set.tokens, c->set.tokens));
    put_chunk(c, "data: [DONE]\n\n", 14);
    put(c, "0\r\n\r\n", 5);
    c->streaming = 0; requests++;
}

/* An open throttle: fills the buffer and the socket until either is full or the stream is over. */
static int pour(struct conn *c) {
    while (c->streaming) {
        int64_t t = now_ns();
        while (c->streaming && c->out_len < OUT_BYTES - 4096) {
            put_token(c, t);
            if (c->sent_tokens == c->set.tokens) put_end(c);
        }
        if (flush(c) < 0) return -1;
        if (c->out_len) return 0;
    }
    watch(c, 0);
    return 0;
}

static int send_due(struct conn *c) {
    if (c->out_len) {                    /* the client does not read: the token waits */
        c->due_ns = now_ns() + 1000000; heap_push(c); return 0;
    }
    put_token(c, now_ns());
    if (c->sent_tokens == c->set.tokens) put_end(c);
    if (flush(c) < 0) return -1;
    if (c->streaming) {
        int64_t now = c->last_ns; c->due_ns += c->set.itl_ns;
        if (c->due_ns < now) c->due_ns = c->set.pace == BURST ? (now / c->set.itl_ns + 1) * c->set.itl_ns : now;
        heap_push(c);
    }
    return 0;
}

/* reading */

static void answer(struct conn *c, const char *body, size_t len) {
    c->out_len += sprintf(c->out + c->out_len, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                          "content-length: %zu\r\n\r\n", len);
    if (len < OUT_BYTES - 4096) { put(c, body, len); return; }
    fcntl(c->fd, F_SETFL, 0);            /* a long list of sends: nothing else goes on then */
    flush(c);
    for (size_t done = 0; done < len;) {
        ssize_t n = send(c->fd, body + done, len - done, MSG_NOSIGNAL);
        if (n <= 0) break;
        done += n;
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void begin_stream(struct conn *c, const char *body, size_t len) {
    if (!first_ns) first_ns = c->arrived_ns;
    char *asked = memmem(body, len, "\"max_tokens\":", 13);
    int most = asked ? atoi(asked + 13) : 0;
    if (most > 0 && most < c->set.tokens) c->set.tokens = most;
    uint64_t hash = 1469598103934665603ULL;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)body[i]) * 1099511628211ULL;
    size_t need = sends_len + c->set.tokens + 2;
    if (need > sends_cap) { sends_cap = need * 2; sends = realloc(sends, sends_cap * sizeof *sends); }
    c->log_at = sends_len; sends_len = need;
    memset(sends + c->log_at, 0, (c->set.tokens + 2) * sizeof *sends);
    sends[c->log_at] = (int64_t)hash; sends[c->log_at + 1] = c->set.tokens;
    static const char head[] = "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 04:00:00 GMT\r\nserver: bench\r\n"
        "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
    put(c, head, sizeof head - 1);
    c->streaming = 1; c->sent_tokens = 0; streams_begun++;
    if (c->set.itl_ns == 0 && c->set.ttft_ns == 0) return;
    flush(c);
    int64_t step = c->set.itl_ns ? c->set.itl_ns : 1;
    c->due_ns = c->arrived_ns + c->set.ttft_ns;
    if (c->set.pace == SPREAD) c->due_ns += (int64_t)((streams_begun * 0.6180339887498949 -
        (int64_t)(streams_begun * 0.6180339887498949)) * step);
    if (c->set.pace == BURST) c->due_ns = (c->due_ns / step + 1) * step;
    heap_push(c);
}

static void tell_stats(struct conn *c) {
    char text[1024], a[256], b[256];
    say(&ttft, a); say(&itl, b);
    answer(c, text, sprintf(text, "{\"requests\":%ld,\"events\":%ld,\"first_ns\":%lld,\"ttft_ms\":%s,"
                            "\"itl_ms\":%s}\n", requests, events, (long long)first_ns, a, b));
}

/* One whole request at the start of `in`; returns its length, 0 if more must come. */
static size_t serve_one(struct conn *c) {
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end + 4 - c->in, body = 0;
    *end = 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (length) body = strtoul(length + 17, NULL, 10);
    *end = '\r';
    if (c->in_len < head + body) return 0;
    char *path = memchr(c->in, ' ', head);
    path = path ? path + 1 : c->in;
    size_t path_len = strcspn(path, " ?"), query_len = 0;
    char *query = path + path_len;
    if (*query == '?') { query++; query_len = strcspn(query, " "); }
    c->set = defaults;
#define IS(p) (path_len == sizeof p - 1 && !memcmp(path, p, path_len))
    if (IS("/v1/completions")) {
        set_from_query(&c->set, query, query_len);
        begin_stream(c, c->in + head, body);
    } else if (IS("/config")) {
        set_from_query(&defaults, query, query_len);
        forget(&ttft); forget(&itl); requests = events = 0; first_ns = 0; sends_len = 0;
        answer(c, "{}", 2);
    } else if (IS("/stats")) tell_stats(c);
    else if (IS("/sends")) answer(c, (char *)sends, sends_len * sizeof *sends);
    else if (IS("/v1/models")) {
        static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"bench-model\",\"object\":\"model\","
            "\"created\":1763700000,\"owned_by\":\"bench\",\"root\":\"bench-model\",\"max_model_len\":131072}]}";
        answer(c, models, sizeof models - 1);
    } else answer(c, "{}", 2);
    return head + body;
}

static int receive(struct conn *c) {
    char control[64];
    struct iovec io = {c->in + c->in_len, IN_BYTES - 1 - c->in_len};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &m, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (n <= 0) return -1;
    c->arrived_ns = now_ns();
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec t; memcpy(&t, CMSG_DATA(h), sizeof t);
            int64_t stamp = t.tv_sec * 1000000000LL + t.tv_nsec - real_minus_mono;
            if (stamp <= c->arrived_ns && stamp > c->arrived_ns - 5000000000LL) c->arrived_ns = stamp;
        }
    c->in_len += n; c->in[c->in_len] = 0;
    for (size_t used; !c->streaming && (used = serve_one(c)) > 0;) {
        memmove(c->in, c->in + used, c->in_len - used); c->in_len -= used; c->in[c->in_len] = 0;
        if (c->streaming && !c->set.itl_ns && !c->set.ttft_ns) return pour(c);
    }
    return c->streaming ? 0 : flush(c);
}

static void welcome(int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CONNS) { close(fd); continue; }
        int one = 1, room = 1 << 20;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        struct conn *c = calloc(1, sizeof *c);
        c->fd = fd; c->in = malloc(IN_BYTES); c->out = malloc(OUT_BYTES); conns[fd] = c;
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

int main(int argc, char **argv) {
    int port = 0, one = 1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--port") && i + 1 < argc) port = atoi(argv[++i]);
        else set_from_query(&defaults, argv[i], strlen(argv[i]));
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files; getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; setrlimit(RLIMIT_NOFILE, &files);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);      /* accepted sockets inherit it */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 4096) || getsockname(listener, (void *)&at, &at_len)) {
        perror("server"); return 1;
    }
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, ready[512];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    printf("%d\n", ntohs(at.sin_port)); fflush(stdout);
    for (int64_t measured = -1;;) {
        int64_t now = now_ns();
        if (measured < 0 || now - measured > 1000000000LL) { measure_offset(); measured = now; }
        int64_t wait = heap_len ? heap[0]->due_ns - now : 1000000000LL;
        if (wait < 0) wait = 0;
        struct timespec t = {wait / 1000000000LL, wait % 1000000000LL};
        int n = (int)syscall(SYS_epoll_pwait2, epoll_fd, ready, 512, &t, NULL, 0);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener) { welcome(listener); continue; }
            struct conn *c = conns[ready[i].data.fd];
            if (!c) continue;
            int broken = 0;
            if (ready[i].events & EPOLLOUT) {
                broken = flush(c) < 0;
                if (!broken && !c->out_len) {
                    watch(c, 0);
                    if (c->streaming && !c->set.itl_ns && !c->set.ttft_ns) broken = pour(c) < 0;
                }
            }
            if (!broken && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) broken = receive(c) < 0;
            if (broken) drop(c);
        }
        now = now_ns();
        for (int sent = 0; heap_len && heap[0]->due_ns <= now && sent < 256; sent++) {
            struct conn *c = heap_pop();
            if (send_due(c) < 0) drop(c);
        }
    }
}
