"""Feature flags and deprecated features."""

from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Rows
from .listing import check_columns
from .outcome import USAGE, Failure
from .values import Atom

SECTION = "Feature flags"
BOTH = (CTL, DIAGNOSTICS)
COLUMNS = ("name", "state", "stability", "provided_by", "desc", "doc_url")


@command("list_feature_flags", "[--no-table-headers] [<column> ...]", "Lists feature flags", SECTION, BOTH,
         words=(0, None),
         check=lambda call: check_columns(call, COLUMNS), banner=lambda call: "Listing feature flags ...",
         details=[("<column>", "must be one of " + ", ".join(sorted(COLUMNS)))])
def list_feature_flags(call):
    return Rows(check_columns(call, COLUMNS) or ("name", "state"),
                [{**flag, "state": Atom(flag.get("state", ""))} for flag in call.api.get("/api/feature-flags")])


@command("enable_feature_flag", "<all | feature_flag>",
         "Enables a feature flag or all supported feature flags on the target node",
         SECTION, words=(1, 1), switches={"experimental": bool, "opt-in": bool},
         banner=lambda call: ("Enabling all feature flags ..." if call.words[0] == "all" else
                              f'Enabling feature flag "{call.words[0]}" ...'))
def enable_feature_flag(call):
    flags = {flag["name"]: flag for flag in call.api.get("/api/feature-flags")}
    wanted = call.words[0]
    if wanted != "all" and wanted not in flags:
        raise Failure(f"This feature flag is not supported by node {call.node}", USAGE)
    for name in flags if wanted == "all" else [wanted]:
        if flags[name].get("state") != "enabled":
            call.api.put(path_of("feature-flags", name, "enable"), {"name": name})


@command("list_deprecated_features", "[--used] [--no-table-headers]", "Lists deprecated features", SECTION, BOTH,
         switches={"used": bool}, words=(0, None),
         banner=lambda call: "Listing deprecated features that are being used ..." if call.option("used") else
         "Listing deprecated features ...")
def list_deprecated_features(call):
    path = path_of("deprecated-features", "used") if call.option("used") else path_of("deprecated-features")
    return Rows(("name", "deprecation_phase"), call.api.get(path))


@command("check_if_any_deprecated_features_are_used", "", "Checks whether any deprecated features are used", SECTION,
         (DIAGNOSTICS,),
         banner=lambda call: "Checking if any deprecated features are used ...")
def check_if_any_deprecated_features_are_used(call):
    used = [feature["name"] for feature in call.api.get("/api/deprecated-features/used")]
    if used:
        raise Failure(f"Cluster reported deprecated features in use: {', '.join(used)}", bare=True)


@command("check_if_cluster_has_classic_queue_mirroring_policy", "",
         "Health check that exits with a non-zero code if there are policies that enable classic queue mirroring",
         SECTION, (DIAGNOSTICS,), banner=lambda call: "Checking if cluster has any classic queue mirroring policy ...")
def check_if_cluster_has_classic_queue_mirroring_policy(call):
    found = [policy["name"] for path in ("/api/policies", "/api/operator-policies") for policy in call.api.get(path)
             if "ha-mode" in policy["definition"]]
    if found:
        raise Failure(f"Policies that ask for mirrors, which every queue has here anyway: {', '.join(found)}",
                      bare=True)


