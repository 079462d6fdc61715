"""What a command is, and the table of all of them. The table also makes the help.

A family is a module with functions marked by @command. A function takes a Call and gives what is to be printed: None,
or one of the kinds in formatters.py. It raises a Failure when it cannot.
"""

import importlib

# Which module has which command: only that one is loaded to run it. A test holds this against the modules.
FAMILIES = {
    "help": "autocomplete help version",
    "nodes": "await_online_nodes await_startup ping status wait",
    "service": "force_reset reset resume_listeners shutdown start_app stop stop_app suspend_listeners",
    "limits": (
        "activate_free_disk_space_monitoring deactivate_free_disk_space_monitoring set_disk_free_limit "
        "set_vm_memory_high_watermark"),
    "logs": "consume_event_stream log_location log_tail log_tail_stream rotate_logs set_log_level",
    "cluster": (
        "change_cluster_node_type cluster_status force_boot force_standalone_khepri_boot "
        "forget_cluster_node "
        "join_cluster leave_cluster rename_cluster_node set_cluster_name update_cluster_nodes"),
    "users": (
        "add_user authenticate_user change_password clear_password clear_user_limits delete_user hash_password "
        "list_user_limits list_users set_user_limits set_user_tags"),
    "access": (
        "clear_permissions clear_topic_permissions list_permissions list_topic_permissions list_user_permissions "
        "list_user_topic_permissions set_permissions set_permissions_globally set_topic_permissions"),
    "vhosts": (
        "add_vhost clear_vhost_limits delete_vhost disable_vhost_deletion_protection enable_vhost_deletion_protection "
        "list_vhost_limits list_vhosts reconcile_vhosts restart_vhost set_vhost_limits set_vhost_tags trace_off "
        "trace_on "
        "update_vhost_metadata"),
    "listing": (
        "list_bindings list_channels list_connections list_consumers list_exchanges list_queues "
        "list_unresponsive_queues"),
    "queues": "cancel_sync_queue delete_queue purge_queue sync_queue",
    "parameters": (
        "clear_global_parameter clear_parameter list_global_parameters list_parameters set_global_parameter "
        "set_parameter"),
    "policies": (
        "clear_operator_policy clear_policy list_operator_policies list_policies list_policies_that_match "
        "remove_classic_queue_mirroring_from_policies set_operator_policy set_policy"),
    "runtime": (
        "close_all_connections close_all_user_connections close_connection force_gc list_node_auth_attempt_stats "
        "reset_node_auth_attempt_metrics reset_stats_db"),
    "definitions": "export_definitions import_definitions",
    "crypto": "decode decrypt_conf_value encode encrypt_conf_value list_ciphers list_hashes",
    "flags": (
        "check_if_any_deprecated_features_are_used check_if_cluster_has_classic_queue_mirroring_policy "
        "enable_feature_flag "
        "list_deprecated_features list_feature_flags"),
    "links": "delete_shovel federation_status restart_federation_link restart_shovel shovel_status",
    "checks": (
        "alarms check_alarms check_certificate_expiration check_for_quorum_queues_without_an_elected_leader "
        "check_if_metadata_store_is_initialized check_if_metadata_store_is_initialized_with_data "
        "check_if_node_is_in_service check_if_node_is_mirror_sync_critical check_if_node_is_quorum_critical "
        "check_local_alarms check_port_connectivity check_port_listener check_protocol_listener check_running "
        "check_virtual_hosts is_booting is_running listeners node_health_check"),
    "diagnostics": (
        "certificates cipher_suites command_line_arguments discover_peers environment "
        "erlang_cookie_hash erlang_cookie_sources erlang_version list_network_interfaces "
        "maybe_stuck memory_breakdown message_size_stats metadata_store_status observer os_env "
        "remote_shell report resolve_hostname resolver_info runtime_thread_stats schema_info server_version "
        "tls_versions"),
    "replicas": (
        "add_member check_if_new_quorum_queue_replicas_have_finished_initial_sync delete_member force_checkpoint grow "
        "grow_to_count peek quorum_status rebalance reclaim_quorum_memory shrink transfer_leadership"),
    "upgrade": (
        "await_online_quorum_plus_one await_online_synchronized_mirror drain has_reached_target_cluster_size "
        "post_upgrade "
        "revive"),
    "explain": "explain placement",
    "around": "drill haproxy-config upgrade",
    "plugins": "directories disable enable is_enabled list set",
    "streams": (
        "activate_stream_consumer add_replica add_super_stream coordinator_status delete_replica delete_super_stream "
        "list_stream_connections list_stream_consumer_groups list_stream_consumers list_stream_group_consumers "
        "list_stream_publishers list_stream_tracking reset_offset restart_stream set_stream_retention_policy "
        "stream_status"),
    "unsupported": (
        "disable_auth_attempt_source_tracking enable_auth_attempt_source_tracking eval eval_file exec hipe_compile"),
}

CTL, DIAGNOSTICS, QUEUES = "rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-queues"
UPGRADE, PLUGINS, STREAMS = "rabbitmq-upgrade", "rabbitmq-plugins", "rabbitmq-streams"
TOOLS = (CTL, DIAGNOSTICS, QUEUES, UPGRADE, PLUGINS, STREAMS)
OWN_NAME = "warrenctl"      # has the commands of all of them
OWN = (OWN_NAME,)           # and some that RabbitMQ does not know

SECTIONS = ("Help", "Nodes", "Cluster", "Replication", "Users", "Access Control", "Virtual hosts",
            "Monitoring, observability and health checks", "Queues", "Parameters", "Policies", "Definitions",
            "Configuration and Environment", "Feature flags", "Operations", "Federation", "Shovel", "Upgrade",
            "Plugin Management", "Streams", "Deprecated")


class Command:
    def __init__(self, run, name, usage, about, section, tools, words, switches, letters, banner, check, examples,
                 details,
                 local, default_timeout, explains, raw):
        self.run, self.name, self.usage, self.about, self.section, self.tools = run, name, usage, about, section, tools
        self.words_min, self.words_max = words
        self.switches, self.letters = switches, letters
        self.banner, self.check = banner, check
        self.examples, self.details = examples, details
        self.local = local                      # asks no node
        self.default_timeout = default_timeout
        self.explains = explains                # with --dry-run it says itself what it would do
        self.raw = raw                          # all words behind its name are its own


_table = {}


def command(name, usage="", about="", section="Operations", tools=(CTL,), words=(0, 0), switches=None, letters=None,
            banner=None, check=None, examples=(), details=(), local=False, default_timeout=60.0,
            explains=False, raw=False):
    """Marks a function as a command.

    usage    the words and switches behind the name
    words    how many words it takes, at least and at most (None: any number)
    banner   a function of the Call that gives the line(s) above the result
    check    a function of the Call that raises BadUsage, before anything is printed
    details  pairs (word or switch, what it is)
    examples pairs (command line without the tool's name, what it does)"""
    def mark(function):
        _table[name] = Command(function, name, usage, about, section, tools, words, switches or {}, letters or {},
                               banner,
                               check, examples, details, local, default_timeout, explains, raw)
        return function
    return mark


def table():
    """All commands by name."""
    for family in FAMILIES:
        importlib.import_module(f".{family}", __package__)
    return _table


def of_tool(tool):
    """The commands that a tool offers, by name."""
    return {name: found for name, found in table().items() if tool == OWN_NAME or tool in found.tools}


def find(name, tool):
    """One command of a tool, or None."""
    family = next((family for family, names in FAMILIES.items() if name in names.split()), None)
    if family is None:
        return None
    importlib.import_module(f".{family}", __package__)
    found = _table[name]
    return found if tool == OWN_NAME or tool in found.tools else None


def suggestions(name, tool):
    import difflib
    return difflib.get_close_matches(name, of_tool(tool), n=3, cutoff=0.75)
