"""The versions of the menu as commands see them, whether the desk is open or not."""

from changgu.app.floor_keeper import menu_files, menu_report
from changgu.app.settings import Settings
from changgu.ground.database import Database
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Report
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.store import FlowStore


async def flows_of(settings: Settings, database: Database) -> list[Flow]:
    """The menu on the air, or that would be if the desk opened now; then, where they are fit to be heard, the pilot
    number's draft and what is scheduled.

    Queues and agents are not looked at. Raises `FlowErrors` when there is no menu to open with, and ValueError for a
    catalogue of sentences that cannot be read.
    """

    def report(menu: MenuSet, file: str) -> Report:
        return menu_report(settings, None, menu, file)

    store = FlowStore(database)
    versions = FlowVersions(store, lambda: menu_files(settings.data))
    wanted = await versions.wanted(report)
    found = report(wanted.menu, wanted.file)
    if found.flow is None:
        raise FlowErrors(found.errors)
    others = [versions.history.version(one.version).menu for one in versions.history.ahead(versions.now())]
    draft = await store.draft(versions.name)
    if settings.desk.pilot_number and draft is not None:
        others.append(draft.menu)
    heard = (report(menu, versions.name).flow for menu in others)
    return [found.flow, *(flow for flow in heard if flow is not None)]
