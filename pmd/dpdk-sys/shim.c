/* Bodies for DPDK's inline functions and macros, called once per burst from Rust. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <rte_bus.h>
#include "shim.h"

/* The layout that pmd/src/packet/mbuf.rs relies on; another DPDK that moved a field fails to build here. */
#define AT(field, offset) \
    _Static_assert(offsetof(struct rte_mbuf, field) == (offset), "struct rte_mbuf has changed: " #field)
AT(buf_addr, 0);
AT(data_off, 16);
AT(refcnt, 18);
AT(nb_segs, 20);
AT(port, 22);
AT(ol_flags, 24);
AT(packet_type, 32);
AT(pkt_len, 36);
AT(data_len, 40);
AT(vlan_tci, 42);
AT(hash, 44);
AT(buf_len, 54);
AT(pool, 56);
AT(next, 64);
AT(tx_offload, 72);
_Static_assert(sizeof(struct rte_mbuf) == 128, "struct rte_mbuf has changed its size");

int vs_errno(void)
{
    return rte_errno;
}

uint16_t vs_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
    return rte_eth_rx_burst(port, queue, pkts, n);
}

uint16_t vs_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
    return rte_eth_tx_burst(port, queue, pkts, n);
}

uint16_t vs_eth_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n)
{
    return rte_eth_tx_prepare(port, queue, pkts, n);
}

int vs_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **pkts, unsigned n)
{
    return rte_pktmbuf_alloc_bulk(pool, pkts, n) ? -1 : 0;
}

void vs_mbuf_free(struct rte_mbuf *m)
{
    rte_pktmbuf_free(m);
}

void vs_mbuf_free_bulk(struct rte_mbuf **pkts, unsigned n)
{
    rte_pktmbuf_free_bulk(pkts, n);
}

void vs_mbuf_free_burst(struct rte_mbuf **pkts, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        struct rte_mbuf *m = pkts[i];

        if (unlikely(m->pool != pkts[0]->pool || m->nb_segs != 1 || rte_mbuf_refcnt_read(m) != 1
                     || !RTE_MBUF_DIRECT(m))) {
            rte_pktmbuf_free_bulk(pkts, n);
            return;
        }
    }
    if (n) {
        rte_mempool_put_bulk(pkts[0]->pool, (void *const *)pkts, n);
    }
}

unsigned vs_mbuf_copy_burst(struct rte_mempool *pool, struct rte_mbuf **from, struct rte_mbuf **to, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        to[i] = rte_pktmbuf_copy(from[i], pool, 0, UINT32_MAX);
        if (!to[i]) {
            break;
        }
    }
    return i;
}

int vs_mbuf_linearize(struct rte_mbuf *m)
{
    return rte_pktmbuf_linearize(m);
}

int vs_eth_link(uint16_t port, struct vs_link *out)
{
    struct rte_eth_link link;
    int error;

    memset(&link, 0, sizeof link);
    error = rte_eth_link_get_nowait(port, &link);
    out->speed_mbps = link.link_speed;
    out->full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
    out->up = link.link_status == RTE_ETH_LINK_UP;
    return error;
}

const char *vs_eth_bus_info(uint16_t port)
{
    static __thread char text[256];
    struct rte_eth_dev_info info;
    const char *bus, *more;

    if (rte_eth_dev_info_get(port, &info) || !info.device) {
        return "";
    }
    bus = rte_bus_name(rte_dev_bus(info.device));
    more = rte_dev_bus_info(info.device);
    if (more && more[0]) {
        snprintf(text, sizeof text, "bus_name=%s, %s", bus, more);
    } else {
        snprintf(text, sizeof text, "bus_name=%s", bus);
    }
    return text;
}

void vs_eth_conf(struct rte_eth_conf *conf, uint32_t mtu, uint64_t rx_offloads, uint64_t tx_offloads, uint64_t rss,
                 int lsc_interrupt)
{
    memset(conf, 0, sizeof *conf);
    conf->rxmode.mq_mode = rss ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE;
    conf->rxmode.mtu = mtu;
    conf->rxmode.offloads = rx_offloads;
    conf->txmode.offloads = tx_offloads;
    conf->rx_adv_conf.rss_conf.rss_hf = rss;
    conf->intr_conf.lsc = lsc_interrupt != 0;
}

void vs_mbuf_view(const struct rte_mbuf *m, struct vs_mbuf_view *out)
{
    *out = (struct vs_mbuf_view){
        .data = rte_pktmbuf_mtod(m, void *),
        .data_off = m->data_off,
        .data_len = rte_pktmbuf_data_len(m),
        .headroom = rte_pktmbuf_headroom(m),
        .tailroom = rte_pktmbuf_tailroom(m),
        .nb_segs = m->nb_segs,
        .refcnt = rte_mbuf_refcnt_read(m),
        .port = m->port,
        .pkt_len = rte_pktmbuf_pkt_len(m),
        .rss = m->hash.rss,
        .ol_flags = m->ol_flags,
        .next = m->next,
        .pool = m->pool,
    };
}

static vs_log_sink log_sink;

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
    (void)cookie;
    log_sink(rte_log_cur_msg_loglevel(), text, len);
    return (ssize_t)len;
}

int vs_log_to(vs_log_sink sink)
{
    cookie_io_functions_t io = {.write = log_write};
    FILE *stream;

    log_sink = sink;
    stream = fopencookie(NULL, "w+", io);
    if (!stream) {
        return -errno;
    }
    setlinebuf(stream);
    return rte_openlog_stream(stream);
}
