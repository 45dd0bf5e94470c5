"""The event stream: server-sent events of executions, output, announcements and aliases (api.md section 5).

One consumer thread per process reads the bus; each event is serialised once and handed to the asyncio loop, which puts it into the
queues of those listeners whose filter it passes.
"""
