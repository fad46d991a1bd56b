"""Lambda's handler: events of a function URL, an API Gateway or a load balancer."""

from mangum import Mangum

from deploy.functions.predict import application

handler = Mangum(application, lifespan="off")
