"""Azure's function app: every HTTP request that comes with the key of the function."""

import azure.functions

from deploy.functions.predict import application

app = azure.functions.AsgiFunctionApp(application, azure.functions.AuthLevel.FUNCTION)
