/* What TLS agreed on and what the client's certificate says, for its session. */
#include "node/shard/shard_internal.h"
#include "replication/sys/tls.h"

static void read_certificate(const struct shard *s, const struct x509_st *certificate, struct session_tls *facts,
                             struct buf parts[static 4])
{
    certificate_subject(certificate, &parts[0]);
    certificate_issuer(certificate, &parts[1]);
    certificate_validity(certificate, &parts[2]);
    if (!certificate_user(certificate, &s->settings->certificate_login, &parts[3]))
        facts->no_user = "the certificate has no such name: see ssl_cert_login_from";
    facts->subject = buf_slice(&parts[0]);
    facts->issuer = buf_slice(&parts[1]);
    facts->validity = buf_slice(&parts[2]);
    facts->user = buf_slice(&parts[3]);
}

void connection_secure(struct shard *s, struct session *session, const struct tls *tls)
{
    struct tls_facts agreed;
    struct buf parts[4] = {0};
    const struct x509_st *certificate = tls_peer_certificate(tls); /* verified, or there is none */
    tls_facts(tls, &agreed);
    struct session_tls facts = {.protocol = agreed.protocol,
                                .key_exchange = agreed.key_exchange,
                                .cipher = agreed.cipher,
                                .hash = agreed.hash,
                                .no_user = "the client showed no certificate"};
    if (certificate) {
        facts.no_user = NULL;
        read_certificate(s, certificate, &facts, parts);
    }
    session_set_tls(session, &facts);
    for (size_t i = 0; i < 4; i++) buf_close(&parts[i]);
}
