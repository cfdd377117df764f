/* What the bindings are generated from: DPDK's headers and our shim around its inline functions.
 * A shim function is called once per burst, never once per packet. */
#ifndef VS_SHIM_H
#define VS_SHIM_H 1

#include <stddef.h>
#include <stdint.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>
#include <rte_vhost.h>

/* The calling thread's rte_errno (a thread-local symbol that Rust cannot bind). */
int vs_errno(void);

uint16_t vs_eth_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t vs_eth_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t vs_eth_tx_prepare(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);

/* 0, or -1 when the pool has fewer than n buffers. */
int vs_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **pkts, unsigned n);
void vs_mbuf_free(struct rte_mbuf *m);
void vs_mbuf_free_bulk(struct rte_mbuf **pkts, unsigned n);
/* Frees packets that mostly are plain: one segment, not shared, all of one pool. */
void vs_mbuf_free_burst(struct rte_mbuf **pkts, unsigned n);
/* Copies n packets whole into buffers of pool; returns how many succeeded (the first ones). */
unsigned vs_mbuf_copy_burst(struct rte_mempool *pool, struct rte_mbuf **from, struct rte_mbuf **to, unsigned n);
/* One contiguous segment, or -1. */
int vs_mbuf_linearize(struct rte_mbuf *m);

/* Link state in fixed types (the struct differs between releases); 0 or -errno. Does not wait for the link. */
struct vs_link {
    uint32_t speed_mbps;
    uint8_t full_duplex, up;
};
int vs_eth_link(uint16_t port, struct vs_link *out);
/* Driver name and bus text of a device; "" when unknown. */
const char *vs_eth_bus_info(uint16_t port);
/* Bits of an Rx or Tx configuration that C spells as bit-fields or nested members. */
void vs_eth_conf(struct rte_eth_conf *conf, uint32_t mtu, uint64_t rx_offloads, uint64_t tx_offloads, uint64_t rss,
                 int lsc_interrupt);

/* Field readers for the layout test of the Rust accessors. */
struct vs_mbuf_view {
    void *data;
    uint16_t data_off, data_len, headroom, tailroom, nb_segs, refcnt, port;
    uint32_t pkt_len, rss;
    uint64_t ol_flags;
    void *next, *pool;
};
void vs_mbuf_view(const struct rte_mbuf *m, struct vs_mbuf_view *out);

/* Flags that the headers spell as expressions. */
#define VS_PREFIX static const uint64_t
VS_PREFIX VS_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
VS_PREFIX VS_RX_VLAN_STRIPPED = RTE_MBUF_F_RX_VLAN_STRIPPED;
VS_PREFIX VS_TX_CKSUM_MASK = RTE_MBUF_F_TX_OFFLOAD_MASK;
VS_PREFIX VS_F_EXTERNAL = RTE_MBUF_F_EXTERNAL;
VS_PREFIX VS_F_INDIRECT = RTE_MBUF_F_INDIRECT;
VS_PREFIX VS_ETH_RSS_IP_UDP_TCP = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
VS_PREFIX VS_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
VS_PREFIX VS_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
VS_PREFIX VS_RX_OFFLOAD_CHECKSUM = RTE_ETH_RX_OFFLOAD_CHECKSUM;
VS_PREFIX VS_TX_OFFLOAD_MBUF_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;

/* Every DPDK log line goes to sink(level, text, length); 0 or -errno. */
typedef void (*vs_log_sink)(int level, const char *text, size_t len);
int vs_log_to(vs_log_sink sink);

#endif
