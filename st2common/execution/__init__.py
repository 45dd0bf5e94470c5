"""What services do with executions together: accept a request, show one, control one, tell what happened.

``request`` (accept) -> ``st2actions`` runs it -> ``finish`` (what follows an end); ``view`` is the API form; ``control`` cancels,
pauses, resumes and runs again.
"""
