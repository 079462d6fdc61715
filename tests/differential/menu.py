"""What conversations choose from: names, types, arguments, properties, rights. Values are as the wire scripts write them, `~` is the
namespace of a play. Good values are there more often than bad ones."""

QUEUES = ["~q1", "~q2", "~q3"]
EXCHANGES = ["~x1", "~x2", "~x3"]
HISTORY, HASH = "~r1", "~h1"        # of types that are plugins in RabbitMQ; only ~q1 is ever bound to HASH
SYSTEM_EXCHANGES = ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"]
KEYS = ["a", "a.b", "a.b.c", "", "b", "a..b"]
PATTERNS = ["#", "*", "a.#", "*.b", "a.*.c", "#.c", "a.b", "*.#.b", ""]
TYPES = ["direct", "fanout", "topic", "headers"]
HASH_TYPES = ["x-consistent-hash", "x-consistent-hash", "x-modulus-hash", "x-random"]
NO_TYPES = ["x-nowhere", "x-none"]

# A value of a wrong type for nearly everything.
WRONG = ['"x"', "true", "1.5", "{a=1}", "[1]", "none", "T:1700000000", 'x:"b"', "D:1:5", '""', "l:-9223372036854775808", "b:-1", "I:70000", "l:70000"]

QUEUE_ARGUMENTS = {
    "x-message-ttl": ["0", "60000", "60000", "-1", '"soon"', "s:500", "1.5", "315360000001"],
    "x-expires": ["60000", "0", "-5", "true"],
    "x-max-length": ["0", "1", "2", "3", "-1", '"x"'],
    "x-max-length-bytes": ["0", "5", "20", "-1"],
    "x-overflow": ['"drop-head"', '"reject-publish"', '"reject-publish"', '"drop-tail"', "5"],
    "x-dead-letter-exchange": ['""', '"~x1"', '"~none"', '"~x3"', "5"],
    "x-dead-letter-routing-key": ['"~q2"', '"~q3"', '"a.b"', "7"],
    "x-max-priority": ["1", "3", "5", "255", "256", "-1", '"x"'],
    "x-single-active-consumer": ["true", "false", '"yes"'],
    "x-queue-mode": ['"lazy"', '"default"', '"eager"'],
    "x-queue-type": ['"classic"', '"classic"', '"nonsense"', '"Classic"'],
    "x-queue-version": ["1", "2", "3", '"x"'],
    "x-queue-master-locator": ['"min-masters"', '"client-local"', '"nonsense"', "5"],
    "x-something": ["1", '"two"', "true", "[1 2]"],
}
# A good queue of one kind each, for themes that want queues that work.
GOOD_ARGUMENTS = [
    "", "", "", 'x-max-length=2', 'x-max-length=3 x-overflow="reject-publish"', 'x-max-length=1 x-dead-letter-exchange="" '
    'x-dead-letter-routing-key="~q3"', 'x-dead-letter-exchange="~x1"', 'x-dead-letter-exchange="" x-dead-letter-routing-key="~q2"',
    'x-max-length-bytes=6', 'x-max-priority=3', 'x-max-priority=5', 'x-message-ttl=0 x-dead-letter-exchange="" '
    'x-dead-letter-routing-key="~q3"', 'x-message-ttl=60000', 'x-single-active-consumer=true', 'x-message-ttl=0',
]
EXCHANGE_ARGUMENTS = {
    "alternate-exchange": ['"~x2"', '"~none"', '"~x3"', "5", '""', "true", "[1]"],
    "anything": ["1", '"x"', "none", "{a=1}"],
}
HASH_ARGUMENTS = {"hash-header": ['"k"', '"l"'], "hash-property": ['"message_id"', '"correlation_id"', '"timestamp"'], **EXCHANGE_ARGUMENTS}
HISTORY_ARGUMENTS = {"x-recent-history-length": ["1", "2", "5", "0", "-1", '"x"', "1.5", "true", "none"], "anything": ["1"]}
CONSUMER_ARGUMENTS = {"x-priority": ["1", "5", "-1", '"x"', "1.5", "true", "none"], "x-cancel-on-ha-failover": ["true", "5"],
                      "x-other": ["1", "[1]"]}
MATCHES = ["", 'x-match="all" ', 'x-match="any" ', 'x-match="all-with-x" ', 'x-match="any-with-x" ', 'x-match="some" ', "x-match=5 ",
           "x-match=true ", "x-match=none "]
WEIGHTS = ["1", "1", "2", "10", "0", "-1", "abc", "", "1.5"]
HEADERS = ["k=1", 'k="1"', "k=2", "k=1 l=true", 'l=false m="x"', "", 'k=none', 'k=1.0', 'x-k=1', "k=l:1", "k=s:1"]
COPIES = ['CC=["~q1" "~q2"]', 'CC=["~q1" "~q2"]', 'BCC=["~q3"]', "CC=5", "BCC=true", 'CC="~q1"', "BCC={a=1}", "CC=[]", "CC=[5]", 'BCC=["~q1" 5]',
          'CC=["~q1"] BCC=["~q1" "~q2"]', "x-recent-history-no-store=true"]
# Keys beside the routing key, for exchanges and dead letters where they make a difference.
FURTHER = ['CC=["a"]', 'BCC=["a"]', 'CC=["b" "a.b"]', 'CC=["b"] BCC=["a" "~q3"]', 'BCC=["~q1" "~q2"]', 'CC=["~none"]', 'BCC=["~none" 5 "a"]',
           'CC=["a" "a"] BCC=["a"]', 'CC=[] BCC=[]', "k=1"]
EXPIRATIONS = ["60000", "60000", "60000", "315360000000", "abc", "-1", "", "1.5", "315360000001", "+60000", " 60000", "60000 ", "0x10", "60000a", "00060000"]

POLICIES = ["max-length=2", "max-length=1 overflow=\"reject-publish\"", 'max-length=2 dead-letter-exchange="" dead-letter-routing-key="~q3"',
            'dead-letter-exchange="~x1"', "message-ttl=60000 expires=60000", "max-length-bytes=4", 'alternate-exchange="~x2"',
            'alternate-exchange="~x3" max-length=3', "max-length=-1", 'overflow="drop-tail"', "expires=0", 'colour="red"', 'message-ttl="x"', "",
            'overflow="reject-publish-dlx" max-length=1 dead-letter-exchange="" dead-letter-routing-key="~q3"', 'ha-mode="exactly"', 'ha-sync-mode="manual"']
# 3.10's operators have no word on overflow and mirrors.
OPERATOR_POLICIES = ["max-length=2", "max-length=1", "message-ttl=60000 expires=60000", "max-length-bytes=4", "max-length=-1", "",
                     'dead-letter-exchange="~x1"', 'alternate-exchange="~x2"', 'colour="red"']
PATTERNS_OF_POLICIES = ["^~", "^~q", "^~q1$", "^~x", "^~x1$", "q2$", "("]
KINDS_OF_POLICIES = ["", "", ' apply-to="all"', ' apply-to="queues"', ' apply-to="exchanges"', ' apply-to="nothing"']

# What cannot be a name, and what can hardly be one. Not declared: it would stay.
ODD_NAMES = [r'"~\xff"', r'"\x80"', r'"~\xc3"', r'"\xe2\x82"', '"n"*255', '"é☃"', r'" \t"', '"e"*254', '"amq."']

# Rights
TAGS = ["", "", "impersonator", "administrator", "monitoring,impersonator"]
RIGHTS = [".*", ".*", ".*", "^~", "^~q", "^~q[12]$", "^~(q1|x1)$", "^~x", "^(~.*|amq\\..*)$", "^amq\\.", "q1|x2", "amq.default|~q", "", "^$",
          "^~[qx][23]|amq.gen", "^(?!~q1).*$", "(?i)^~Q"]
TOPIC_RIGHTS = [".*", ".*", "^a", "^{username}", "^$", "", "b$", "#", "{vhost}|a", "^a\\.b"]
BAD_RIGHT = "("
