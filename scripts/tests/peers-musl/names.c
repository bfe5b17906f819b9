// names HOST...: what musl's getaddrinfo() makes of each, one address a line, or its reason.

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

static void show(const struct addrinfo *a)
{
	char host[256], scope[NI_MAXHOST];

	if (a->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a->ai_addr;

		printf("%s\n", inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)));
	} else if (!getnameinfo(
			   a->ai_addr, a->ai_addrlen, scope, sizeof(scope), 0, 0, NI_NUMERICHOST))
		printf("[%s]\n", scope);
}

int main(int argc, char **argv)
{
	(void)argc;
	while (*++argv) {
		struct addrinfo hint = {.ai_socktype = SOCK_STREAM}, *list;
		int e = getaddrinfo(*argv, 0, &hint, &list);

		if (e)
			puts(gai_strerror(e));
		for (; !e && list; list = list->ai_next)
			show(list);
	}
	return 0;
}
