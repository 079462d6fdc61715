/* Messages that leave their queue without an ack. With a dead-letter exchange they wait in the group's list until the
 * targets have them (at least once); the leader's shell publishes them (node/broker/dead_letter.c). */
#include "node/queue/machine_internal.h"

static void emit(const struct dead_letter_record *d, struct effects *effects)
{
    struct effect *e = effects_add(effects, EFFECT_DEAD_LETTER, 0);
    e->number = d->number;
    e->queue = d->queue;
    e->code = d->reason;
    e->content = stored_part(&d->content);
    e->location = d->content.where;
    if (e->content.blob) effects_hold(effects, e->content.blob);
    if (d->targets.size) e->text = effects_text(effects, d->targets);
    if (!d->exchange.data) return;
    struct buf names = {0};
    buf_put_counted(&names, d->vhost);
    buf_put_counted(&names, d->exchange);
    e->a = d->target;
    e->text = effects_text(effects, buf_slice(&names)); /* adds no effect: `e` stays */
    buf_close(&names);
}

void dead_letter_append(struct queue_machine *m, struct dead_letter_record *d, struct effects *effects)
{
    d->number = ++m->dead_number;
    list_append(&m->dead, &d->link);
    if (effects) emit(d, effects);
}

void dead_letter_name(struct dead_letter_record *d, struct slice vhost, struct slice exchange)
{
    uint8_t *names = mem_alloc(vhost.size + exchange.size + 1);
    if (vhost.size) memcpy(names, vhost.data, vhost.size);
    if (exchange.size) memcpy(names + vhost.size, exchange.data, exchange.size);
    d->vhost = slice_of(names, vhost.size);
    d->exchange = slice_of(names + vhost.size, exchange.size);
}

void dead_letter_aim(struct dead_letter_record *d, struct slice targets)
{
    mem_free((void *)d->targets.data);
    d->targets = (struct slice){0};
    if (targets.size) d->targets = slice_of(mem_strndup((const char *)targets.data, targets.size), targets.size);
}

void dead_letter_free(struct queue_machine *m, struct dead_letter_record *d)
{
    stored_drop(&d->content, m->store);
    mem_free((void *)d->vhost.data);
    dead_letter_aim(d, (struct slice){0});
    d->vhost = d->exchange = (struct slice){0};
    d->gone = true;
    if (!d->pending) mem_free(d); /* else a checkpoint is still at it, which frees it */
}

void bury_content(struct queue_machine *m, struct queue *q, struct stored content, uint8_t reason,
                  struct effects *effects)
{
    bool kept = q->settings.has_dead_letter_exchange;
    if (effects && reason < DEAD_LETTER_REASONS)
        m->figures.dead[kept][reason]++; /* once in the cluster: by the leader */
    if (!kept) {
        stored_drop(&content, m->store);
        return;
    }
    struct dead_letter_record *d = mem_zalloc(sizeof *d);
    d->queue = q->id;
    d->reason = reason;
    d->content = content;
    q->dead_pending++;
    dead_letter_append(m, d, effects);
}

void bury(struct queue_machine *m, struct queue *q, uint8_t level, uint64_t number, struct slot *slot, uint8_t reason,
          struct effects *effects)
{
    struct level *l = q->levels[level];
    if (slot->state == SLOT_READY) {
        q->ready--;
        q->ready_bytes -= slot->content.body;
    }
    q->expiring -= slot->expires_ms != 0;
    queue_forget(q, level, number);
    struct stored content = level_take(l, number, slot);
    level_trim(l);
    bury_content(m, q, content, reason, effects);
}

uint64_t dead_letters_from(const struct queue_machine *m, uint64_t queue)
{
    uint64_t count = 0;
    LIST_FOR(&m->dead, link) count += LIST_ITEM(link, struct dead_letter_record, link)->queue == queue;
    for (size_t i = 0; i < m->postponed_count; i++) count += m->postponed[i]->queue == queue;
    return count;
}

void dead_lettered(struct queue_machine *m, const struct command *command, struct effects *effects)
{
    struct command_dead_lettered c;
    if (!command_dead_lettered_decode(command->payload, &c)) return;
    LIST_FOR_SAFE(&m->dead, link)
    {
        struct dead_letter_record *d = LIST_ITEM(link, struct dead_letter_record, link);
        if (d->number > c.last) return;
        if (d->number < c.first) continue;
        struct queue *q = queue_find(m, d->queue);
        if (q) q->dead_pending--;
        m->figures.dead_confirmed += effects && d->reason < DEAD_LETTER_REASONS;
        list_remove(&d->link);
        dead_letter_free(m, d);
    }
}

/* It waits among what exchanges keep back, and gets a new number when its time has come: a target's port takes no number
 * twice. */
void dead_letter_again(struct queue_machine *m, const struct command *command)
{
    struct command_dead_letter_again c;
    if (!command_dead_letter_again_decode(command->payload, &c)) return;
    LIST_FOR(&m->dead, link)
    {
        struct dead_letter_record *d = LIST_ITEM(link, struct dead_letter_record, link);
        if (d->number < c.number) continue;
        if (d->number > c.number || d->reason >= DEAD_DUE) return;
        list_remove(&d->link);
        dead_letter_aim(d, c.targets);
        postpone_again(m, d, c.after_ms);
        return;
    }
}

void queue_machine_dead_letters(struct queue_machine *m, uint64_t after, size_t count_max, struct effects *effects)
{
    size_t count = 0;
    LIST_FOR(&m->dead, link)
    {
        struct dead_letter_record *d = LIST_ITEM(link, struct dead_letter_record, link);
        if (d->number <= after) continue;
        if (count++ == count_max) return;
        emit(d, effects);
    }
}
